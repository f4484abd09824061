"""What operators type, on a running relay."""

from __future__ import annotations

import json

import pytest

from schemas.identity import lead_id_of
from tests.e2e import people
from tests.e2e.test_story import handed_off
from tests.relay import Relay


async def test_explain_adds_up_and_show_and_due_name_the_owner(shared_relay: Relay) -> None:
    email = people.somebody()
    await shared_relay.batch(people.qualified(email))
    handoff = await handed_off(shared_relay, email)

    code, printed = await shared_relay.command("scorer", "explain", email, "--json")
    explained = json.loads(printed)
    assert code == 0
    assert explained["score"] == 65 == sum(line["points"] for line in explained["lines"])

    for name in (email, lead_id_of(email=email)):
        code, printed = await shared_relay.command("router", "show", name)
        assert (code, "handed_off" in printed, handoff["data"]["owner"]["name"] in printed) == (0, True, True)

    code, printed = await shared_relay.command("sla-monitor", "due", "--json", "--limit", "1000")
    clocks = [clock["clock"] for clock in json.loads(printed)["clocks"] if clock["lead_id"] == handoff["subject"]]
    assert code == 0
    assert set(clocks) >= {"CK-S3", "CK-S4"}


async def test_a_stranger_is_unknown_and_junk_is_refused(shared_relay: Relay) -> None:
    for service, verb in (("scorer", "explain"), ("router", "show")):
        code, printed = await shared_relay.command(service, verb, people.somebody())
        assert code == 1, printed
        code, printed = await shared_relay.command(service, verb, "null")
        assert code == 2, printed


@pytest.mark.parametrize(
    "command", ["scorer", "scorer explain", "router show", "sla-monitor due", "ingest", "ingest hash-key"]
)
async def test_every_command_has_help(shared_relay: Relay, command: str) -> None:
    service, *verb = command.split()
    code, printed = await shared_relay.command(service, *verb, "--help")
    assert code == 0, printed
    assert "Usage" in printed
