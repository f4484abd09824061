"""Reads Salesforce's outbound messages: SOAP, up to 100 notifications each, no signature."""

from __future__ import annotations

from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from schemas.envelope import Refused

_OUTBOUND: Final = "{http://soap.sforce.com/2005/09/outbound}"
_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
ACK: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>"
)
"""The only answer that Salesforce takes for a receipt; without it the message comes again for 24 hours."""


def message(body: bytes) -> dict[str, Any]:
    """The message as plain values: organizationId, actionId, and notifications of id, type and fields.

    No entity is expanded and no document type is read (defusedxml). Raises Refused `unreadable`.
    """
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise Refused("unreadable", f"not the XML of an outbound message: {type(error).__name__}") from None
    found = root.find(f".//{_OUTBOUND}notifications")
    if found is None:
        raise Refused("unreadable", "no outbound message: it has no notifications")
    return {
        "organizationId": found.findtext(f"{_OUTBOUND}OrganizationId"),
        "actionId": found.findtext(f"{_OUTBOUND}ActionId"),
        "notifications": [_notification(one) for one in found.iterfind(f"{_OUTBOUND}Notification")],
    }


def _notification(element: Element) -> dict[str, Any]:
    record = element.find(f"{_OUTBOUND}sObject")
    fields = () if record is None else record
    return {
        "id": element.findtext(f"{_OUTBOUND}Id"),
        "type": None if record is None else record.get(f"{_XSI}type", "").rpartition(":")[2],
        "fields": {field.tag.rpartition("}")[2]: field.text for field in fields if field.text is not None},
    }
