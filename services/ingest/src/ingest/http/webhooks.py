"""POST /v1/webhooks/{name}: what platforms send by themselves, each in its own format."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chassis.kafka.publisher import Record
from ingest.adapters import salesforce
from ingest.flights import Held
from ingest.formats import Origin, Read, read
from ingest.http import body as bodies
from ingest.http import signatures
from ingest.http.answers import Problem, success
from ingest.http.calls import rejected
from ingest.http.door import Door, records_of
from ingest.webhooks import Webhook, Webhooks
from schemas.envelope import Refused


class Hooks:
    """Takes webhooks. Items that give no event go to `events-rejected`, and the answer is 200 as well."""

    def __init__(self, door: Door, webhooks: Webhooks) -> None:
        self._door = door
        self._webhooks = webhooks

    async def take(self, request: Request) -> Response:
        """The platform's receipt once Kafka has acknowledged everything."""
        received_at = datetime.now(UTC)
        hook = self._webhooks.find(request.path_params["name"])
        if hook is None:
            raise Problem(404, "no_such_webhook", "there is no webhook of this name (the file of webhooks names them)")
        with self._door.strangers.holding(1) as held:
            body = await bodies.received(request, self._door.limits, held)
            signatures.check(hook, request, body, received_at)
            id_ = request.headers.get("webhook-id") if hook.kind == "standard" else None
            source = f"webhook/{hook.name}"
            origin = Origin(source, hook.sentby, received_at, hook.format, hook.sends, id_)
            found, aside, reasons = self._sorted(self._content(hook, body, held), origin)
        await self._door.publish([*records_of(found.events), *aside], len(found.events), reasons)
        self._door.metrics.count_read(found)
        if hook.kind == "salesforce":
            return Response(salesforce.ACK, media_type="text/xml")
        return success()

    def _content(self, hook: Webhook, body: bytes, held: Held) -> object:
        """The body as plain values. Raises Problem."""
        if hook.kind != "salesforce":
            content, mended = bodies.parse(bodies.plain(body, self._door.limits, held), self._door.limits)
            self._door.metrics.count_mended(mended or {})
            return content
        try:
            message = salesforce.message(body)
        except Refused as refused:
            raise Problem(400, "bad_xml", refused.detail) from refused
        if message["organizationId"] != hook.organization:
            raise Problem(401, "other_organization", "OrganizationId is not the one of this webhook")
        return message

    def _sorted(self, content: object, origin: Origin) -> tuple[Read, list[Record], Counter[str]]:
        """The events of all items, and what is set aside of them, with the reasons. Raises Problem."""
        found, aside, reasons = Read(), list[Record](), Counter[str]()
        how = self._webhooks.formats.find(origin.format)
        try:
            items = how.split(content)
        except Refused as refused:
            raise Problem(400, "bad_body", refused.detail) from refused
        if len(items) > self._door.limits.batch:
            raise bodies.too_large(f"a body may have {self._door.limits.batch} items")
        for place, item in enumerate(items):
            its = origin.at(place, len(items))
            try:
                found.add(read(item, how, its, self._door.limits))
            except Refused as refused:
                reasons[refused.reason] += 1
                about = {"reason": refused.reason, "detail": refused.detail, **its.as_json()}
                aside.append(rejected(orjson.dumps(item), about))
        return found, aside, reasons
