"""Who an item is about: its identifiers, each in its one spelling. What is none is left out, with the reason.

| Call | Links |
|---|---|
| alias (Segment) | previousId beside userId, anonymousId and the traits' email. previousId is an address where it can be read as one. Else it is an anonymous id, as in a server's call with two texts, which may mean two user ids (`baton merge` joins those); beside an address it may have been a user id just as well, so both are linked. It is a user id where it is a number, or where the item names another anonymousId |
| merge (Rudder) | the value of each of mergeProperties whose type is email, user_id or anonymous_id, in any spelling of these, beside userId and anonymousId |
"""  # noqa: E501 - a table's rows are lines

from __future__ import annotations

from typing import Final

from ingest.adapters import fields
from ingest.adapters.fields import Table
from schemas.envelope import Refused
from schemas.identity import Identifiers, Name, lead_id_of
from schemas.spelling import Unusable, plain_identifier, readable_email

Leads = tuple[tuple[Name, str], ...]
"""Lead ids, each with the identifier that it is made from."""

_KINDS: Final[dict[str, Name]] = {
    "email": "email",
    "email_address": "email",
    "user_id": "user_id",
    "userid": "user_id",
    "anonymous_id": "anonymous_id",
    "anonymousid": "anonymous_id",
}
_EXACT = 2**53
"""From here on a number of JavaScript may stand for its neighbour."""


class Names:
    """Reads the identifiers of one item, and notes in `junk` which were left out: (identifier, why)."""

    def __init__(self) -> None:
        self.junk: list[tuple[str, str]] = []

    def own(self, item: Table, call: str) -> Identifiers:
        """Those that every call may have. An address as userId is an address, unless there is another one.

        The traits of a group are its company's.
        """
        context = fields.table(item, "context")
        places = [fields.table(of, "traits") for of in ((context,) if call == "group" else (item, context))]
        properties = fields.table(item, "properties")
        user_id = self.plain("user_id", fields.value_of(item, "userId"))
        if user_id is None:  # what a known user types may be somebody else's address: whom she invited
            places.append(properties)
        email = None
        for place in places:
            if email is None and (value := fields.value_of(place, "email")) is not None:
                email = self.email(value)
        if (address := address_in(user_id)) is not None and email in (None, address):
            email, user_id = address, None
        anonymous_id = self.plain("anonymous_id", fields.value_of(item, "anonymousId"))
        return Identifiers(email=email, user_id=user_id, anonymous_id=anonymous_id)

    def email(self, value: object) -> str | None:
        """The address; None where it is none."""
        email = readable_email(value) if isinstance(value, str) else None
        if email is None:
            self.junk.append(("email", "no_address"))
        return email

    def plain(self, name: Name, value: object | None) -> str | None:
        """The user id or anonymous id; None where it is absent or identifies nobody."""
        try:
            return None if value is None else plain_identifier(_digits(value))
        except Unusable as unusable:
            self.junk.append((name, unusable.why))
            return None


def address_in(user_id: str | None) -> str | None:
    """The address that is given as a user id; None where it is none."""
    return None if user_id is None or "@" not in user_id else readable_email(user_id)


def of_alias(item: Table, own: Identifiers, names: Names) -> Leads:
    """The leads of an alias call's previousId: two where it may be a user id or an anonymous id."""
    value = fields.value_of(item, "previousId")
    previous = names.plain("anonymous_id", value)
    if previous is None:
        return ()
    if (address := address_in(previous)) is not None:
        return (_lead("email", address),)
    as_user, as_device = _lead("user_id", previous), _lead("anonymous_id", previous)
    if previous == own.user_id or not isinstance(value, str):
        return (as_user,)
    if previous == own.anonymous_id:
        return (as_device,)
    if own.email is not None:
        return (as_user, as_device)
    return (as_device,) if own.anonymous_id is None else (as_user,)


def of_merge(item: Table, _: Identifiers, names: Names) -> Leads:
    """The leads of a merge call's mergeProperties."""
    properties = fields.value_of(item, "mergeProperties")
    if not isinstance(properties, list) or not all(isinstance(one, dict) for one in properties):
        raise Refused("bad_item", "mergeProperties: not an array of objects")
    return tuple(lead for one in properties if (lead := _merged(one, names)) is not None)


def _merged(property_: Table, names: Names) -> tuple[Name, str] | None:
    kind, value = fields.value_of(property_, "type"), fields.value_of(property_, "value")
    name = _KINDS.get(fields.word(kind[: fields.MAX_NAME])) if isinstance(kind, str) else None
    if value is None:
        return None
    if name is None:
        names.junk.append(("other", "unknown_kind"))
        return None
    text = names.email(value) if name == "email" else names.plain(name, value)
    if name == "user_id" and (address := address_in(text)) is not None:
        name, text = "email", address
    return None if text is None else _lead(name, text)


def _lead(name: Name, identifier: str) -> tuple[Name, str]:
    return name, lead_id_of(**{name: identifier})


def _digits(value: object) -> str:
    """A text as it is, a number as its digits. Raises Unusable."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unusable("no_text")
    if not abs(value) < _EXACT or value != int(value):
        raise Unusable("lost_digits")
    return str(int(value))
