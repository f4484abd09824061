"""One person by three names and an old one, sent by released clients: one lead, handed off once."""

import asyncio
import os
import uuid

from schemas.identity import lead_id_of
from tests.conformance.conftest import Client
from tests.e2e.test_three_names import one_lead_of_80_points
from tests.relay import WRITE_KEY, Relay


async def test_a_released_client_s_person_is_one_lead(client: Client, classic_relay: Relay) -> None:
    who = uuid.uuid4().hex[:12]
    host = str(classic_relay.http.base_url).rstrip("/")
    process = await asyncio.create_subprocess_exec(
        *client.command,
        *(host, WRITE_KEY[0], who),
        env={**os.environ, **client.environment},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, said.decode()) == (0, "")

    names = {name: f"{name}-{who}" for name in ("user", "visitor", "old")}
    aliases = [
        lead_id_of(user_id=names["user"]),
        *(lead_id_of(anonymous_id=names[each]) for each in ("visitor", "old")),
    ]
    await one_lead_of_80_points(classic_relay, f"{who}@example.com", aliases, facts=8)
    assert await classic_relay.records("events-rejected") == []
    for name in (f"{who}@example.com", *names.values()):
        code, printed = await classic_relay.baton("lead", name)
        assert (code, f"{who}@example.com" in printed, "80 points" in printed) == (0, True, True), printed
