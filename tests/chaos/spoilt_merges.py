"""Evidence of merges, spoilt in every way that the verdict must find; see tests/simulation/test_merging.py.

Each raises StopIteration where the evidence has no case of what it spoils.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.chaos.evidence import Evidence
from tests.chaos.promises import Stop, Turn
from tests.chaos.raw import derived
from tests.chaos.spoilt import add_to_clock


def _taken_over(evidence: Evidence) -> tuple[str, str, Turn]:
    """An alias that was never unmerged, its person, and the handoff by which that goes on with the alias' episode."""
    oracle = evidence.oracle
    return next(
        (alias, lead, turn)
        for kind, alias, lead in oracle.aliases.latest()
        for turn in oracle.leads[lead].handoffs
        if (kind, turn.taken_from) == ("lead.merged", alias) and alias not in oracle.aliases.unmerged
    )


def _add_turn(evidence: Evidence, lead: str, turn: Turn, **changes: Any) -> None:
    evidence.oracle.leads[lead].turns["spoilt"] = turn._replace(id="spoilt", data=turn.data | changes)


def _handoff_of_a_merged_lead(evidence: Evidence) -> None:
    alias, _, _ = _taken_over(evidence)
    _add_turn(evidence, alias, evidence.oracle.leads[alias].handoffs[0])


def _second_episode_beside_the_one_taken_over(evidence: Evidence) -> None:
    _, lead, turn = _taken_over(evidence)
    _add_turn(evidence, lead, turn, episode=turn.data["episode"] + 1)


def _new_owner_after_a_merge(evidence: Evidence) -> None:
    _, lead, turn = _taken_over(evidence)
    turns = evidence.oracle.leads[lead].turns
    del turns[turn.id]
    _add_turn(evidence, lead, turn, cause="qualified")


def _other_owner_than_the_merged_lead(evidence: Evidence) -> None:
    _, lead, turn = _taken_over(evidence)
    evidence.oracle.leads[lead].turns[turn.id] = turn._replace(data=turn.data | {"owner": {"id": "another"}})


def _promise_dropped_at_a_merge(evidence: Evidence) -> None:
    _, lead, turn = _taken_over(evidence)
    del evidence.oracle.leads[lead].turns[turn.id]


def _handoff_for_the_points_of_an_unmerged_lead(evidence: Evidence) -> None:
    oracle = evidence.oracle
    unmerged = (lead for kind, _, lead in oracle.aliases.latest() if kind == "lead.unmerged")
    name = next(lead for lead in unmerged if not oracle.must_be_handed_off(lead) and not oracle.course(lead).open)
    _add_turn(evidence, name, next(turn for lead in oracle.leads.values() for turn in lead.handoffs))


def _follow_up_left_with_the_merged_lead(evidence: Evidence) -> None:
    alias, _, turn = _taken_over(evidence)
    stop = Stop(turn.qualified_at, turn.published, {"contacted"}, None)
    evidence.oracle.leads[alias].stops["spoilt", "1"] = stop


def _follow_up_of_nobody(evidence: Evidence) -> None:
    alias, lead, _ = _taken_over(evidence)
    evidence.oracle.leads[lead].passed[alias].add(("spoilt", "1"))


def _cancelled(evidence: Evidence) -> str:
    """The id of a clock that a merge has cancelled for good."""
    merged = (clock for clock in evidence.oracle.clocks() if clock.lead in evidence.oracle.aliases)
    return next(clock.clock_id for clock in merged if clock.cancelled and clock.name == "CK-S3")


def _clock_of_a_merged_lead_runs_on(evidence: Evidence) -> None:
    told = evidence.clocks[_cancelled(evidence)]
    del told[max(told)]


def _breach_of_a_cancelled_clock(evidence: Evidence) -> None:
    add_to_clock(evidence, _cancelled(evidence), "sla.breached")


def _clock_taken_over_that_never_started(evidence: Evidence) -> None:
    _, lead, turn = _taken_over(evidence)
    del evidence.clocks[derived("clock", lead, turn.data["episode"], "CK-S3")]


def _clock_that_an_unmerge_did_not_resume(evidence: Evidence) -> None:
    resumed = next(clock for clock in evidence.oracle.clocks() if len(clock.dues) > 1 and clock.met_at is None)
    told = evidence.clocks[resumed.clock_id]
    for version in [version for version, event in told.items() if event.due == resumed.due]:
        del told[version]


def _breach_in_spite_of_a_merge(evidence: Evidence) -> None:
    clocks = (clock for clock in evidence.oracle.clocks() if clock.cancelled)
    clock, due = next((clock, due) for clock in clocks for due, heard in clock.excused if heard < due)
    told = evidence.clocks[clock.clock_id]
    told[1] = replace(told[1], kind="sla.breached", due=due, published=due)


def _merge_that_was_not_passed_on(evidence: Evidence) -> None:
    alias, lead, _ = _taken_over(evidence)
    evidence.merged["lead-handoffs"].remove(("lead.merged", lead, alias, lead))


def _merge_that_nobody_said(evidence: Evidence) -> None:
    evidence.merged["lead-scores"].add(("lead.merged", "one", "one", "another"))


SPOILT_MERGES: dict[Callable[[Evidence], None], str] = {
    _handoff_of_a_merged_lead: "a merged lead was handed off after its merge",
    _second_episode_beside_the_one_taken_over: "leads were handed off twice",
    _new_owner_after_a_merge: "a person was handed off anew whose merged lead had an owner",
    _other_owner_than_the_merged_lead: "an episode was taken over that the merged lead did not have",
    _promise_dropped_at_a_merge: "the promise of a merged lead is nobody's",
    _handoff_for_the_points_of_an_unmerged_lead: "leads were handed off that do not qualify",
    _follow_up_left_with_the_merged_lead: "what sales did about a merged lead did not come to its person",
    _follow_up_of_nobody: "sales activities came to a lead that nobody told of its aliases",
    _clock_of_a_merged_lead_runs_on: "a promise stands that went to another lead",
    _breach_of_a_cancelled_clock: "a breach was published twice, or of a promise that was cancelled",
    _breach_in_spite_of_a_merge: "a breach was published though its excuse was on the topic before its due",
    _clock_taken_over_that_never_started: "clocks never started",
    _clock_that_an_unmerge_did_not_resume: "a clock did not go on after an unmerge",
    _merge_that_was_not_passed_on: "merges are not on lead-handoffs",
    _merge_that_nobody_said: "merges are on lead-scores that nobody said",
}
