"""What each route takes and answers, in words: one `Operation` for each path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ingest.adapters.dialects import JITSU, POSTHOG, SEGMENT, SNOWPLOW
from ingest.http.events import BATCH, EVENT
from ingest.openapi.shapes import call_name

JSON: Final = "application/json"
REFUSALS: Final[Mapping[int, str]] = {
    400: "the body is not what the route takes",
    401: "no write key, or one that is not known",
    403: "a page of this origin may not send with the key, or the key may not say this",
    404: "there is no such webhook",
    408: "the body has not arrived in time",
    413: "too large: the request, or an event of it",
    415: "a content type or encoding that is not taken",
    422: "an event that is not valid; `errors` say where",
    503: "Kafka has not acknowledged, or too much is in flight: retry after the seconds of Retry-After",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `bodies` has the schema of each media type, `takes` an example of one."""

    summary: str
    about: str
    group: str
    bodies: Mapping[str, str] = field(default_factory=dict)
    takes: Any = None
    success: tuple[int, str] = (200, "Success")
    refuses: tuple[int, ...] = (400, 401, 403, 408, 413, 415, 503)
    keyed: bool = True
    """Whether it needs a write key; False: the platform's signature, or nothing."""
    method: str = "POST"


_WHO: Final = {"userId": "u-1", "context": {"traits": {"email": "ada@example.com"}}}
_EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "track": {**_WHO, "event": "Webinar Attended", "messageId": "m-1"},
    "identify": {"userId": "u-1", "traits": {"email": "ada@example.com", "company": "Engines", "company_size": 120}},
    "page": {**_WHO, "name": "Pricing"},
    "screen": {**_WHO, "name": "Pricing"},
    "group": {**_WHO, "groupId": "engines", "traits": {"name": "Engines", "employees": 120}},
    "alias": {"previousId": "a-1", "userId": "u-1"},
    "merge": {"mergeProperties": [{"type": "email", "value": "ada@example.com"}], "userId": "u-1"},
}
_CALLS: Final[Mapping[str, str]] = {
    "track": "somebody did something",
    "identify": "what is known of a person; also links the identifiers it has",
    "page": "a page was viewed",
    "screen": "a screen of an app was viewed",
    "group": "what is known of a person's company",
    "alias": "two identifiers are one person",
    "merge": "two or more identifiers are one person (Rudder)",
}
_FAMILY: Final = (
    "Answers 200 for all that can be read, since clients of this family resend after anything else. The media type "
    "that a client names is not looked at, gzip is recognised by its first bytes."
)


def _segment(call: str | None, group: str) -> Operation:
    if call is None:
        items = [{"type": name, **_EXAMPLES[name]} for name in ("identify", "track")]
        return Operation("many calls in one request", _FAMILY, group, {JSON: "Batch"}, {"batch": items})
    return Operation(_CALLS[call], _FAMILY, group, {JSON: call_name(call)}, _EXAMPLES[call])


_CAPTURE: Final = {"event": "$pageview", "distinct_id": "a-1", "api_key": "pk_demo_tracker"}
_EVENT: Final = {
    "specversion": "1.0",
    "id": "1",
    "source": "/shop",
    "type": "com.example.webinar.attended",
    "subject": "ada@example.com",
    "data": {"content": "pricing"},
}
_SETTINGS: Final = (400, 401, 403)

OPERATIONS: Final[Mapping[str, Operation]] = {
    **{path: _segment(call, "Segment family") for path, call in SEGMENT.routes.items()},
    **{path: _segment(call, "Jitsu") for path, call in JITSU.routes.items()},
    **{
        path: Operation("captures", _FAMILY, "PostHog", {JSON: "Captures"}, {"api_key": "k", "batch": [_CAPTURE]})
        if call is None
        else Operation("one capture", _FAMILY, "PostHog", {JSON: "Capture"}, _CAPTURE)
        for path, call in POSTHOG.routes.items()
    },
    **{
        path: Operation(
            "events of Snowplow's trackers",
            _FAMILY,
            "Snowplow",
            {JSON: "Snowplow"},
            {"data": [{"e": "pv", "aid": "pk_demo_tracker", "duid": "a-1", "url": "https://acme.example/pricing"}]},
        )
        for path in SNOWPLOW.routes
    },
    "/v1/events": Operation(
        "CloudEvents, one or a batch",
        "Structured mode, batch mode, or binary mode: attributes in ce- headers, percent-encoded, data as the body. "
        "Baton's own types are read as on the topic `engagements`; some of them only servers may send. A webhook's "
        "OPTIONS with WebHook-Request-Origin is granted.",
        "CloudEvents",
        {EVENT: "CloudEvent", BATCH: "CloudEvents"},
        _EVENT,
        (202, "Accepted"),
        (400, 401, 403, 408, 413, 415, 422, 503),
    ),
    "/v1/sales-activities": Operation(
        "what sales does: one activity or an array, all or none",
        "Servers' keys only. CloudEvents, complete or abridged: without id, time or source they are derived.",
        "Sales",
        {JSON: "SalesActivities"},
        {"type": "sales.contacted", "subject": "ada@example.com", "data": {"by": "grace", "channel": "call"}},
        refuses=(400, 401, 403, 408, 413, 415, 422, 503),
    ),
    "/v1/webhooks/{name}": Operation(
        "what a platform sends by itself",
        "The file of webhooks names them; each says by which signature it is authentic, and in which format it writes.",
        "Webhooks",
        {JSON: "Anything", "text/xml": "Anything"},
        {},
        refuses=(400, 401, 404, 408, 413, 415, 503),
        keyed=False,
    ),
    "/v1/projects/{key}/settings": Operation(
        "the settings of Segment's browser library",
        "All events go to this server.",
        "Segment family",
        success=(200, "Anything"),
        refuses=_SETTINGS,
        keyed=False,
        method="GET",
    ),
    "/sourceConfig": Operation(
        "the configuration of Rudder's browser library",
        "All events go to the data plane that the page names.",
        "Segment family",
        success=(200, "Anything"),
        refuses=_SETTINGS,
        method="GET",
    ),
    "/t.js": Operation(
        "the tracker for web pages",
        "Two lines of HTML: see the README.",
        "Segment family",
        success=(200, "Anything"),
        refuses=(),
        keyed=False,
        method="GET",
    ),
}
"""By path, without the routes that show this contract, and those of the page for experiments."""
