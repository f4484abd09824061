"""What operators type, on a running relay."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chassis.policy import load_version
from schemas.envelope import Fact
from schemas.identity import lead_id_of
from schemas.policy import Policy
from scorer.rules import Criteria, fold, score
from tests.e2e import people
from tests.e2e.conftest import QUICK
from tests.e2e.test_story import handed_off
from tests.relay import Relay
from tests.unit.scorer.driver import a_scorer
from tests.until import until

LATEST = "2199-12-31T00:00:00.000000"
"""An instant after all that happens."""


async def test_explain_adds_up_and_show_and_due_name_the_owner(shared_relay: Relay) -> None:
    email = people.somebody()
    await shared_relay.batch(people.qualified(email))
    handoff = await handed_off(shared_relay, email)

    code, printed = await shared_relay.baton("explain", email, "--json")
    explained = json.loads(printed)
    assert code == 0
    assert explained["score"] == 65 == sum(line["points"] for line in explained["lines"])

    for name in (email, lead_id_of(email=email)):
        code, printed = await shared_relay.baton("show", name)
        assert (code, "handed_off" in printed, handoff["data"]["owner"]["name"] in printed) == (0, True, True)

    code, printed = await shared_relay.baton("due", "--json", "--limit", "1000")
    clocks = [clock["clock"] for clock in json.loads(printed)["clocks"] if clock["lead_id"] == handoff["subject"]]
    assert code == 0
    assert set(clocks) >= {"CK-S3", "CK-S4"}


async def test_a_lead_s_name_and_ids_do_not_control_the_terminal(shared_relay: Relay) -> None:
    email, hostile = people.somebody(), "Eve\nStage     won\x1b[2J\x9b1A\u202e"
    described, downloaded, attended = people.qualified(email)
    described["traits"]["name"], attended["messageId"] = hostile, f"\x9b1A\u202e{email}"  # ids have no ASCII controls
    await shared_relay.batch([described, downloaded, attended])
    await handed_off(shared_relay, email)

    for words, shows in (
        (("lead", email), ascii(hostile)[1:-1]),
        (("show", email), ascii(hostile)[1:-1]),
        (("explain", email), "webinar"),
        (("due", "--limit", "1000"), ""),
    ):
        code, printed = await shared_relay.baton(*words)
        assert (code, shows in printed, all(line.isprintable() for line in printed.split("\n"))) == (0, True, True)
        assert "\nStage     won" not in printed
        code, printed = await shared_relay.baton(*words, "--json")
        assert (code, printed.isascii(), "\x1b" in printed) == (0, True, False)


async def test_explain_answers_as_of_an_instant_and_says_what_is_missing(shared_relay: Relay) -> None:
    email, now = people.somebody(), datetime.now(UTC)
    told, came = ((now - timedelta(hours=hours)).isoformat() for hours in (4, 2))
    await shared_relay.batch(
        [
            {**people.identified(email), "timestamp": told},
            {**people.tracked(email, "Webinar Attended"), "timestamp": came},
        ]
    )

    async def as_of(*options: str) -> dict[str, Any]:
        code, printed = await shared_relay.baton("explain", email, "--json", *options)
        return json.loads(printed) if code == 0 else {"facts_read": 0}

    async def both_came() -> bool:
        return bool((await as_of())["facts_read"] == 3)  # her user id is one

    await until(both_came, "both facts", 30)
    view = await as_of()
    assert (view["score"], view["band"], view["stored_agrees"], view["as_of"]) == (50, "nurture", True, None)
    assert (view["missing"]["band"], view["missing"]["points"]) == ("pass", 1)
    nearest = {"kind": "email_opened", "content": None, "more": 5, "counted": 0, "apart": False}
    assert view["missing"]["ways"][0] == {"score": 55, "changes": [nearest]}

    between = await as_of("--at", (now - timedelta(hours=3)).isoformat())
    assert (between["score"], between["facts_read"], between["stored_agrees"]) == (30, 2, None)
    before = await as_of("--at", (now - timedelta(hours=5)).isoformat())
    assert (before["score"], before["band"], before["facts_read"]) == (0, "cold", 0)
    later = await as_of("--at", (now + timedelta(days=400)).isoformat())
    assert {**later, "as_of": None, "stored_agrees": True} == view

    code, printed = await shared_relay.baton("explain", email, "--at", f"{now:%Y-%m-%d}")
    assert code == 0, printed
    assert f"As of {now:%Y-%m-%d} 00:00:00" in printed
    for junk in ("yesterday", f"{now:%Y-%m-%dT%H:%M}", "2025-12-31"):
        code, printed = await shared_relay.baton("explain", email, "--at", junk)
        assert (code, "Traceback" in printed) == (2, False), printed


async def test_an_erased_lead_is_gone_for_good_once_somebody_says_yes(shared_relay: Relay) -> None:
    email = people.somebody()
    await shared_relay.batch(people.qualified(email))
    await handed_off(shared_relay, email)
    code, printed = await shared_relay.baton("erase", email)
    question = f"Erase {email} ({lead_id_of(email=email)}) for good? There is no terminal to ask at: use --yes."
    assert (code, question in printed, "No service knows" in printed) == (1, True, False), printed
    code, printed = await shared_relay.baton("erase", email, "--yes")
    assert code == 0, printed
    stranger = people.somebody()
    code, printed = await shared_relay.baton("suppress", stranger)
    assert (code, f"No service knows {stranger}" in printed) == (1, True), printed
    nowhere = {"BATON_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    code, _, printed = await shared_relay.typed("desk", "erase", email, **nowhere)
    assert (code, "Kafka does not answer" in printed, "for good?" in printed) == (1, True, False), printed

    async def erased() -> str:
        code, printed = await shared_relay.baton("explain", email)
        return printed if code == 0 and "Erased" in printed else ""

    assert "4 facts were deleted" in await until(erased, "the lead to be erased", 30)
    await shared_relay.batch(people.qualified(email))

    async def dropped() -> bool:
        code, printed = await shared_relay.baton("explain", email, "--json")
        return code == 0 and bool(json.loads(printed)["dropped"] == {"erased": 3})

    await until(dropped, "what came later to be dropped", 30)
    kept = "SELECT convert_from(data, 'UTF8') FROM fact UNION ALL SELECT state::text FROM lead"
    for service in ("scorer", "router", "sla-monitor"):

        async def forgotten(service: str = service) -> bool:
            return not [text for (text,) in await shared_relay.query(service, kept) if email in text]

        await until(forgotten, f"{service} to forget the lead", 30)
    code, printed = await shared_relay.baton("show", email)
    assert (code, "Stage     suppressed" in printed, "Erased" in printed, email in printed) == (0, True, True, False)


async def test_a_stranger_is_unknown_and_junk_is_refused(shared_relay: Relay) -> None:
    for verb in ("explain", "show"):
        code, printed = await shared_relay.baton(verb, people.somebody())
        assert code == 1, printed
        code, printed = await shared_relay.baton(verb, "null")
        assert code == 2, printed


async def test_a_backtest_of_the_live_policy_is_the_live_state_lead_for_lead(
    shared_relay: Relay, tmp_path: Path
) -> None:
    await crowd_is_in(shared_relay)
    cheaper, text = tmp_path / "cheaper.yaml", (QUICK / "1.yaml").read_text()
    cheaper.write_text(
        text.replace("points: 30,", "points: 5,").replace("points: 20, engagement", "points: 60, engagement")
    )
    live, candidate = (load_version(path, Policy).version for path in (QUICK / "1.yaml", cheaper))
    scorer = a_scorer(live)
    rows = await shared_relay.query("scorer", "SELECT lead_id, CAST(state AS text) FROM lead")
    states = {lead: scorer.load(lead, state) for lead, state in rows}
    stored = {lead: state.tally for lead, state in states.items() if state.names.links is None}
    facts: dict[str, list[Fact]] = {lead: [] for lead in stored}
    columns = "lead_id, data, time, fingerprint, received_at"
    for lead, *kept in await shared_relay.query("scorer", f"SELECT {columns} FROM fact"):
        fact = scorer.stored(*kept)
        if lead in facts and fact.event.via not in states[lead].names.masked:  # an alias' facts count at its lead
            facts[lead].append(fact)
    before, after = (
        {lead: fold(known, Criteria.of(policy)) for lead, known in facts.items()} for policy in (live, candidate)
    )
    assert before == stored
    verdicts = {
        name: {lead: score(t.basis, Criteria.of(policy), LATEST) for lead, t in tallies.items() if t.basis.first}
        for name, policy, tallies in (("before", live, before), ("after", candidate, after))
    }

    code, printed = await shared_relay.baton("policy", "backtest", str(QUICK / "1.yaml"), "--json")
    told = json.loads(printed)
    assert (code, told["differing"]) == (0, {"count": 0, "emails": {}, "leads": []})
    assert (told["leads"], told["leads"] + told["unheard"]) == (len(verdicts["before"]), len(stored))
    assert told["before"]["reached"] == told["after"]["reached"] > 0

    code, printed = await shared_relay.baton("policy", "backtest", str(cheaper), "--json")
    told = json.loads(printed)
    assert (code, told["differing"]) == (0, None)
    passing = {name: {lead for lead, v in those.items() if v.band == "pass"} for name, those in verdicts.items()}
    assert told["newly"]["leads"] == sorted(passing["after"] - passing["before"]) != []
    assert told["no_longer"]["leads"] == sorted(passing["before"] - passing["after"]) != []
    for name, those in verdicts.items():
        bands = Counter(verdict.band for verdict in those.values())
        paid = Counter(line.rule for verdict in those.values() for line in verdict.lines)
        assert {line["band"]: line[name] for line in told["bands"] if line[name]} == bands
        assert {line["rule"]: line[name]["leads"] for line in told["rules"] if line[name]["leads"]} == paid

    code, page = await shared_relay.baton("policy", "backtest", str(cheaper), "--html")
    assert (code, "@" in page, "Backtest" in page) == (0, False, True)


async def crowd_is_in(running: Relay) -> None:
    """300 events of thirty people are facts, and nothing else is on its way."""
    items = people.crowd(300, 30, seed=77)
    for start in range(0, len(items), 100):
        assert (await running.batch(items[start : start + 100])).status_code == 200
    counts = "SELECT count(*) FROM fact WHERE id LIKE 'crowd-77-%' AND type NOT LIKE '%linked%'"

    async def scored() -> bool:
        [row] = await running.query("scorer", counts)
        return bool(row["count"] == len(items) and not await running.metric("scorer", "baton_scorer_lag_records"))

    await until(scored, "the crowd to be scored", 60)
