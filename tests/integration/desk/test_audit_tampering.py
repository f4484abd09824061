"""The auditor finds every change made by hand: it breaks its own invariants, and no others."""

import pytest

from tests.integration.desk.auditing import Rest, audited, change, found, other_database

LEAD = "(SELECT min(lead_id) FROM {} WHERE {})"
SCORED = LEAD.format("scorer.lead", "(state #>> '{published,version}')::int > 1")
UNSCORED = LEAD.format("scorer.lead", "(state #>> '{published,version}')::int = 0")
FLOODED = LEAD.format("scorer.lead", "dropped ->> 'flood' IS NOT NULL")
ERASED = LEAD.format("scorer.lead", "erased IS NOT NULL")
HANDED_OFF = LEAD.format("router.lead", "state ->> 'episode' IS NOT NULL")
BREACHED = LEAD.format("sla_monitor.lead", 'state::jsonb @> \'{"clocks": [{"standing": "breached"}]}\'')
CLOCK = """(SELECT (n - 1)::text FROM json_array_elements(state -> 'clocks') WITH ORDINALITY AS c(clock, n)
    WHERE clock ->> 'standing' = 'breached' LIMIT 1)"""
PUT_CLOCK = """UPDATE sla_monitor.lead
    SET state = jsonb_set(state::jsonb, ARRAY['clocks', {}, '{}'], to_jsonb({})) WHERE lead_id = {}"""
PUT = "UPDATE {} SET state = jsonb_set(state::jsonb, '{}', to_jsonb({})) WHERE lead_id = {}"
COUNT = "UPDATE scorer.partition SET totals = totals::jsonb || jsonb_build_object({}) WHERE part = 0"
UP = "'{0}', (totals ->> '{0}')::int + 1"
FACTS = "lead_id, source, id, part, type, time, fingerprint, data"
A_FACT = """WHERE ctid = (SELECT min(fact.ctid) FROM scorer.fact JOIN scorer.lead USING (lead_id)
    WHERE dropped IS NULL AND erased IS NULL)"""

DATABASE: dict[str, tuple[str, set[str]]] = {
    "a fact is lost": (f"DELETE FROM scorer.fact {A_FACT}", {"I3"}),
    "a fact is invented": (
        f"INSERT INTO router.fact SELECT {FACTS.replace(' id', ' id || chr(33)')} FROM router.fact LIMIT 1",
        {"I3"},
    ),
    "a fact says other things": (f"UPDATE scorer.fact SET data = '{{}}' {A_FACT}", {"I3"}),
    "a fact is in another partition": (f"UPDATE scorer.fact SET part = (part + 1) % 4 {A_FACT}", {"I3"}),
    "the fact of a lead's latest score is lost": (
        "DELETE FROM router.fact WHERE ctid = (SELECT min(fact.ctid) FROM router.fact JOIN router.lead USING (lead_id)"
        " WHERE type = 'baton.lead.scored.v1' AND erased IS NULL)",
        {"I3"},
    ),
    "a score that was replaced is counted as a fact": (
        COUNT.replace("scorer", "router").format(UP.format("facts") + ", 'replaced', (totals ->> 'replaced')::int - 1"),
        {"I2"},
    ),
    "a lead's row is lost": (
        f"DELETE FROM scorer.lead WHERE lead_id = {UNSCORED}",
        {"I3"},
    ),
    "a dropped event is not counted by its lead": (
        "UPDATE scorer.lead SET dropped = dropped::jsonb || jsonb_build_object('flood', (dropped ->> 'flood')::int - 1)"
        f" WHERE lead_id = {FLOODED}",
        {"I2", "I3"},
    ),
    "a dropped event is counted as a fact": (
        COUNT.format(UP.format("facts") + ", 'dropped:flood', (totals ->> 'dropped:flood')::int - 1").removesuffix("0")
        + f"(SELECT part FROM scorer.lead WHERE lead_id = {FLOODED})",
        {"I2"},
    ),
    "a fact of a flooded lead is lost": (
        f"DELETE FROM scorer.fact WHERE ctid = (SELECT min(ctid) FROM scorer.fact WHERE lead_id = {FLOODED})",
        {"I2", "I3"},
    ),
    "an erased lead says that less was deleted": (
        f"UPDATE scorer.lead SET deleted = deleted - 1 WHERE lead_id = {ERASED}",
        {"I2", "I3"},
    ),
    "the fact that erased a lead is lost": (
        f"DELETE FROM scorer.fact WHERE lead_id = {ERASED}",
        {"I2", "I3"},
    ),
    "a record is counted that was none": (COUNT.format(UP.format("records")), {"I2"}),
    "a duplicate is counted as a fact": (
        COUNT.format(UP.format("facts") + ", 'duplicates', (totals ->> 'duplicates')::int - 1"),
        {"I2"},
    ),
    "a dead letter is not counted": (
        "UPDATE sla_monitor.partition SET totals = totals::jsonb - 'dead_letters:not_json'"
        " WHERE totals ->> 'dead_letters:not_json' IS NOT NULL",
        {"I2"},
    ),
    "an outbox row is deleted before it was published": (
        "UPDATE router.partition SET out_seq = out_seq + 1, totals = totals::jsonb"
        " || jsonb_build_object('published', (totals ->> 'published')::int + 1) WHERE part = 0",
        {"I5"},
    ),
    "an offset is past the end": (
        "UPDATE scorer.partition SET offsets = jsonb_build_object('engagements', 1000000) WHERE part = 0",
        {"I10"},
    ),
    "a score's version is lowered": (
        PUT.format("scorer.lead", "{published,version}", "(state #>> '{published,version}')::int - 1", SCORED),
        {"I6"},
    ),
    "a score was never published": (
        PUT.format("scorer.lead", "{published,version}", "(state #>> '{published,version}')::int + 1", SCORED),
        {"I5"},
    ),
    "a handoff was never published": (
        PUT.format("router.lead", "{episode,qualification,episode}", "2", HANDED_OFF),
        {"I5"},
    ),
    "the state has another handoff": (
        PUT.format("router.lead", "{episode,qualification,handoff_id}", "'other'::text", HANDED_OFF),
        {"I7"},
    ),
    "a second handoff waits in the outbox": (
        "INSERT INTO router.outbox (part, seq, topic, partition, key, value, headers)"
        " SELECT part, 1000000, 'lead-handoffs', part, convert_to(lead_id, 'UTF8'), convert_to("
        " jsonb_set(jsonb_set(convert_from(data, 'UTF8')::jsonb, '{id}', '\"2\"'), '{data,handoff_id}', '\"2\"')::text,"
        " 'UTF8'), '[]' FROM sla_monitor.fact WHERE type = 'baton.lead.handed_off.v1' LIMIT 1",
        {"I7"},
    ),
    "a breach stands in public only": (
        PUT_CLOCK.format(CLOCK, "standing", "'met'::text", BREACHED),
        {"I8"},
    ),
    "a clock's version is lowered": (
        PUT_CLOCK.format(CLOCK, "version", f"(state #>> ARRAY['clocks', {CLOCK}, 'version'])::int - 1", BREACHED),
        {"I8"},
    ),
}


@pytest.mark.parametrize("tampering", DATABASE)
async def test_what_is_changed_in_the_database_is_found(rest: Rest, tampering: str) -> None:
    statement, broken = DATABASE[tampering]
    async with other_database(rest) as where:
        assert await change(where, statement) == 1
        found(await audited(where), broken)
