"""JSON Schemas of the bodies that senders write, and of the answers.

They say what is read; what else a body has is ignored, except where `additionalProperties` refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from pydantic.json_schema import models_json_schema

from ingest.adapters.cloudevents import TYPES
from ingest.adapters.sales import ACTIVITIES
from schemas.envelope import Envelope, Frozen
from schemas.export import Generator
from schemas.sales import name_of

Schema = dict[str, Any]
_PLACE: Final = "#/components/schemas/{model}"


def call_name(call: str) -> str:
    """The name of the schema of a call of the Segment family."""
    return f"{call.capitalize()}Call"


def ref(name: str) -> Schema:
    """A reference to one of `components`."""
    return {"$ref": _PLACE.format(model=name)}


def _object(required: str = "", about: str = "", /, **properties: Schema) -> Schema:
    said = {"description": about} if about else {}
    needed = {"required": required.split()} if required else {}
    return {"type": "object", **said, **needed, "properties": properties}


def _array(of: Schema, least: int = 0, most: int = 500) -> Schema:
    return {"type": "array", "minItems": least, "maxItems": most, "items": of}


def _text(about: str = "", **more: Any) -> Schema:
    return {"type": ["string", "null"], **({"description": about} if about else {}), **more}


TIME: Final = {
    "type": ["string", "number", "null"],
    "description": "ISO 8601, or seconds or milliseconds since 1970; without a zone it is UTC",
}
INSTANT: Final = {"type": "string", "format": "date-time"}
_ID: Final = {"type": "string", "minLength": 1, "maxLength": 255}
_NAME: Final = {"type": ["string", "number", "null"], "maxLength": 255}
_TABLE: Final = {"type": ["object", "null"], "additionalProperties": True}
_KEY: Final = {"type": "string", "description": "the write key, where no header has it"}
_WHO: Final = {
    "userId": {**_NAME, "description": "the sender's id of the person; an address is read as one"},
    "anonymousId": {**_NAME, "description": "the device's or browser's id"},
}
_CALL: Final = {
    **_WHO,
    "messageId": _text("the event's id: sent again, it is the same event", maxLength=255),
    "timestamp": TIME,
    "originalTimestamp": TIME,
    "sentAt": TIME,
    "context": {**_object("", "traits, campaign.name, campaign.medium", traits=_TABLE, campaign=_TABLE)},
    "writeKey": _KEY,
}
_TRAITS: Final = _object(
    "",
    "also firstName, lastName, companySize, employees, address.country",
    email=_text(),
    name=_text(),
    phone=_text(),
    title=_text(),
    industry=_text(),
    country=_text(),
    company={"type": ["string", "object", "null"], "description": "a name, or an object of name, industry, employees"},
    company_size={"type": ["integer", "string", "null"], "description": 'a number, or a range: "51-200", "1000+"'},
)
_PROPERTIES: Final = _object(
    "", "content, campaign, channel and machine are read; of the others the plain ones are kept", content=_text()
)
_CALLS: Final[Mapping[str, Schema]] = {
    "track": _object("event", event={"type": "string", "minLength": 1}, properties=_PROPERTIES, **_CALL),
    "page": _object("", name=_text(), properties=_PROPERTIES, **_CALL),
    "screen": _object("", name=_text(), properties=_PROPERTIES, **_CALL),
    "identify": _object("", traits=_TRAITS, **_CALL),
    "group": _object("", traits=_TRAITS, groupId=_NAME, **_CALL),
    "alias": _object("previousId", previousId=_NAME, **_CALL),
    "merge": _object(
        "mergeProperties",
        mergeProperties=_array(_object("type value", type={"enum": ["email", "user_id", "anonymous_id"]}, value=_NAME)),
        **_CALL,
    ),
}
"""Of the Segment family, by call."""

_CAPTURE: Final = _object(
    "event distinct_id",
    event={"type": "string"},
    distinct_id=_NAME,
    properties=_TABLE,
    timestamp=TIME,
    uuid=_text(),
    api_key={"type": "string"},
)
_SNOWPLOW: Final = _object(
    "e",
    e={"enum": ["pv", "se", "ue", "pp", "tr", "ti"]},
    aid=_text("the app id, which is the write key"),
    **dict.fromkeys(
        ("eid", "uid", "duid", "dtm", "stm", "ttm", "url", "page", "se_ac", "se_la", "ue_pr", "co"), _text()
    ),
)
_PERSON: Final = {
    "description": 'the lead\'s id, an e-mail address, {"userId": ...} or {"anonymousId": ...}',
    "oneOf": [
        {"type": "string"},
        _object("userId", userId=_NAME),
        _object("anonymousId", anonymousId=_NAME),
    ],
}
_ENVELOPE: Final[Schema] = {
    "specversion": {"const": "1.0"},
    "id": _ID,
    "source": _ID,
    "type": {"type": "string", "minLength": 1},
    "time": INSTANT,
    "sentat": INSTANT,
}
_ATTRIBUTES: Final[Schema] = {**_ENVELOPE, "datacontenttype": {"type": "string"}}
_ANYBODYS: Final = _object(
    "",
    "An event whose type is not Baton's becomes an engagement: the type's last part is its kind, the plain fields of "
    "data are the properties. Who it is say the subject, if it is an address, or data's email, userId, anonymousId.",
    subject={"type": "string"},
    data=_object("", email=_text(), **_WHO),
    data_base64={"type": "string", "contentEncoding": "base64"},
)
_PROBLEM: Final = _object(
    "type title status detail code message errors",
    "RFC 9457, with `code` and `message` for the clients of the Segment family.",
    type={"type": "string"},
    title={"type": "string"},
    status={"type": "integer"},
    detail={"type": "string"},
    code={"type": "string"},
    message={"type": "string"},
    errors={"type": "array", "items": ref("Wrong")},
)


_WRONG: Final = _object(
    "path message",
    "A thing that is wrong: where (a JSON pointer), and what was expected; never what was sent.",
    path={"type": "string"},
    code={"type": "string"},
    message={"type": "string"},
)
_ACCEPTED: Final = _object(
    "accepted",
    "How many events Kafka has for good; of a batch also how many were refused, and why each.",
    accepted={"type": "integer", "minimum": 0},
    rejected={"type": "integer", "minimum": 0},
    errors={"type": "array", "items": ref("Wrong")},
)
_SUCCESS: Final = _object(
    "success",
    "Kafka has every valid item for good. Items that are no events are set aside: `baton rejected` shows them with the "
    "reason.",
    success={"const": True},
    accepted={"type": "integer", "minimum": 0},
)


def components() -> dict[str, Schema]:
    """Every schema by its name."""
    own = [_own("Attributes", "subject data", event, type_) for type_, event in TYPES.items()]
    activities = [_own("Abridged", "", event, name_of(event), type_) for type_, event in ACTIVITIES.items()]
    calls = {call_name(call): schema for call, schema in _CALLS.items()}
    batch = _object("batch", batch=_array({"oneOf": list(map(_named, _CALLS))}, 1), sentAt=TIME, writeKey=_KEY)
    captures = _object("batch api_key", batch=_array(_CAPTURE, 1), api_key={"type": "string"}, sent_at=TIME)
    return {
        **calls,
        "Batch": batch,
        "Capture": _CAPTURE,
        "Captures": captures,
        "Snowplow": _object("data", schema={"type": "string"}, data=_array(_SNOWPLOW, 1)),
        "Attributes": _object("specversion id source type", "Those of CloudEvents 1.0.", **_ATTRIBUTES),
        "AnyEvent": {"allOf": [ref("Attributes"), _ANYBODYS]},
        "CloudEvent": {"anyOf": [ref("AnyEvent"), *own]},
        "CloudEvents": _array(ref("CloudEvent")),
        "Abridged": _object("type subject", "Only type and subject are needed.", **_ENVELOPE),
        "SalesActivity": {"oneOf": activities},
        "SalesActivities": {"oneOf": [ref("SalesActivity"), _array(ref("SalesActivity"))]},
        "Success": _SUCCESS,
        "Accepted": _ACCEPTED,
        "Problem": _PROBLEM,
        "Wrong": _WRONG,
        **_data(),
    }


def _named(call: str) -> Schema:
    return {"allOf": [ref(call_name(call)), _object("type", type={"const": call})]}


def _own(base: str, required: str, event: type[Envelope], *types: str) -> Schema:
    """One of Baton's own events, under any of these types, with its data."""
    said = _object(
        required,
        (event.__doc__ or "").split("\n")[0],
        type={"enum": list(types)},
        subject=_PERSON,
        data=ref(_model(event).__name__),
    )
    return {"allOf": [ref(base), said]}


def _model(event: type[Envelope]) -> type[Frozen]:
    return cast(type[Frozen], event.model_fields["data"].annotation)


def _data() -> dict[str, Schema]:
    """The data of Baton's own events. What names the lead of a merge or link is completed from the subject."""
    models = {_model(event) for event in (*TYPES.values(), *ACTIVITIES.values())}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, made = models_json_schema(
        [(model, "validation") for model in ordered], ref_template=_PLACE, schema_generator=Generator
    )
    found: dict[str, Schema] = made["$defs"]
    for name in ("Link", "Merge"):
        found[name]["required"] = ["lead"]
        found[name]["properties"]["lead"] = _PERSON
    return found
