"""POST /v1/events: CloudEvents over HTTP in structured, binary and batch mode, with any write key."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ingest.adapters.dialects import CLOUDEVENTS
from ingest.flights import Held
from ingest.http import body as bodies
from ingest.http import originals, sender
from ingest.http.answers import JSON, Problem
from ingest.http.calls import Calls, Sorted, about
from ingest.http.door import Door
from ingest.settings import Limits
from schemas import binary

EVENT, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
_PREFIX = "ce-"
_STATUSES = {"bad_item": 400, "not_allowed": 403, "too_large": 413}
"""The status for a single event refused for this reason; 422 for any other."""


class Events(Calls):
    """Takes what is valid, and says what is wrong with each of the others, which goes to `events-rejected` too."""

    def __init__(self, door: Door) -> None:
        super().__init__(door, CLOUDEVENTS)

    async def take(self, request: Request) -> Response:
        """202 with the number of events taken; for a refused one, or a batch of which none is taken, a Problem."""
        received_at = datetime.now(UTC)
        key, mode = sender.beside_body(request, self._door.keys), _mode(request)
        found = Sorted(f"{CLOUDEVENTS.name}/{key.name}", key.kind, received_at)
        with self._door.reading(key) as held:
            sent = await self._read_mode(request, mode, held, found)
        if sent:
            await self._publish(found)
        return _answer(found, sent, single=mode != BATCH)

    async def _read_mode(self, request: Request, mode: str, held: Held, found: Sorted) -> int:
        """Sorts the events of the body, and returns how many they are."""
        limits = self._door.limits
        body = await bodies.read(request, limits, held)
        if mode not in {EVENT, BATCH}:
            body = _structured(request, mode, body, limits)
        content, mended = bodies.parse(body, limits)
        found.strict = mended is None
        found.mended.update(mended or ())
        if found.sentby != "public":
            bodies.refuse_repeated_names(body)
        if not isinstance(content, list if mode == BATCH else dict):
            wanted = "an array of events" if mode == BATCH else "an event, which is an object"
            raise Problem(400, "bad_body", f"the body must be {wanted}", [{"path": "", "message": "is not"}])
        items: list[object] = content if isinstance(content, list) else [content]
        if len(items) > limits.batch:
            raise bodies.too_large(f"a batch may have {limits.batch} events")
        self._sort(items, None, {}, found)
        if found.refused:
            whole = originals.of_array(body) if mode == BATCH else [body]
            self._set_aside(found, whole, about(found, None, {}))
        return len(items)


def _mode(request: Request) -> str:
    """EVENT, BATCH, or the data's own content type for an event in binary mode. Raises Problem 415."""
    media = request.headers.get("content-type", "")
    plain = media.partition(";")[0].strip().lower()
    if plain in {EVENT, BATCH}:
        return plain
    if not plain.startswith(binary.STRUCTURED) and any(name.startswith(_PREFIX) for name in request.headers):
        return media
    message = f"Content-Type must be {EVENT} or {BATCH}, or the attributes must be in ce- headers"
    raise Problem(415, "unsupported_type", message, headers={"Accept": f"{EVENT}, {BATCH}"})


def _structured(request: Request, media: str, body: bytes, limits: Limits) -> bytes:
    """An event in binary mode, in structured mode. Raises Problem 400."""

    def is_json(body: bytes) -> bool:
        try:
            bodies.parse(body, limits)
        except Problem:
            return False
        return True

    headers = [(name.removeprefix(_PREFIX), value) for name, value in request.headers.items() if name[:3] == _PREFIX]
    try:
        return binary.structured([(name, _decoded(value)) for name, value in headers], media, body, is_json)
    except ValueError as error:
        what = "a header is not percent-encoded UTF-8" if isinstance(error, UnicodeError) else str(error)
        raise Problem(400, "bad_event", f"binary mode: {what}") from None


def _decoded(value: str) -> str:
    """A header's value: in quotes or not, percent-encoded UTF-8. Raises UnicodeError."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return unquote_to_bytes(value.encode("latin-1")).decode()


def _answer(found: Sorted, sent: int, *, single: bool) -> Response:
    errors = [
        {"path": "" if single else f"/{index}", "code": reason, "message": detail}
        for index, reason, detail in found.refused
    ]
    taken = sent - len(errors)
    if errors and not taken:
        if single:
            error = errors[0]
            raise Problem(_STATUSES.get(error["code"], 422), error["code"], error["message"], errors)
        raise Problem(422, "bad_batch", "nothing was taken: see errors", errors)
    rejected: dict[str, object] = {"rejected": len(errors), "errors": errors} if errors else {}
    return Response(orjson.dumps({"accepted": taken, **rejected}), 202, media_type=JSON)
