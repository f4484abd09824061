"""POST /v1/sales-activities: sales activities from sales tools; servers' write keys only."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from ingest.adapters import sales
from ingest.adapters.sales import Invalid
from ingest.flights import Held
from ingest.http import body as bodies
from ingest.http import sender
from ingest.http.answers import Problem, success
from ingest.http.door import Door, records_of
from schemas.envelope import Envelope


class Sales:
    """Takes a CloudEvent or an array of them: all or none, since a server can correct and resend them."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def activities(self, request: Request) -> Response:
        """200 with the number taken, 422 with the errors."""
        received_at = datetime.now(UTC)
        door = self._door
        key = sender.server(request, door.keys)
        with door.reading(key) as held:
            read = await self._read(request, held, f"sales/{key.name}", received_at)
        events = [event.model_copy(update={"sentby": key.kind}) for event in read]
        if events:
            await door.publish(records_of(events), len(events))
        return success(accepted=len(events))

    async def _read(self, request: Request, held: Held, source: str, received_at: datetime) -> list[Envelope]:
        door = self._door
        body = await bodies.read(request, door.limits, held)
        content, mended = bodies.parse(body, door.limits)
        bodies.refuse_repeated_names(body)
        door.metrics.count_mended(mended or {})
        if not isinstance(content, dict | list):
            raise Problem(
                400, "bad_body", "the body must be an activity or an array", [{"path": "", "message": "neither"}]
            )
        items = content if isinstance(content, list) else [content]
        if len(items) > door.limits.batch:
            raise bodies.too_large(f"an array may have {door.limits.batch} activities")
        if bodies.has_nul(body, content):
            raise Problem(422, "nul_character", "nothing was taken: a text has a NUL character")
        try:
            return sales.activities(items, isinstance(content, dict), source, received_at)
        except Invalid as invalid:
            door.metrics.rejected.labels("bad_event").inc(len(items))
            errors = [{"path": wrong.path, "message": wrong.message} for wrong in invalid.errors]
            raise Problem(422, "bad_event", "nothing was taken: see errors", errors) from invalid
