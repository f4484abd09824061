"""Evidence of a healthy relay, spoilt in every way that the verdict must find; see test_load."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.chaos.aliases import Aliases
from tests.chaos.evidence import Evidence, Told
from tests.chaos.model import Copy
from tests.chaos.raw import derived

KEPT = "a breach stands, or a verdict is missing, though the promise was kept in time"


def _a_clock(evidence: Evidence, last: str, name: str = "") -> str:
    """The id of a clock whose latest event is of this kind."""
    clocks = {clock.clock_id: clock.name for clock in evidence.oracle.clocks()}
    ids = (i for i, told in evidence.clocks.items() if told[max(told)].kind == last and name in clocks[i])
    return next(ids)


def add_to_clock(evidence: Evidence, clock_id: str, kind: str, **changes: Any) -> None:
    told = evidence.clocks[clock_id]
    last = max(told)
    event = replace(told[last], kind=kind, breach_id=derived("breach", clock_id))
    told[last + 1] = replace(event, **changes)


def _breach_of_a_lead_that_was_followed_up(evidence: Evidence) -> None:
    add_to_clock(evidence, _a_clock(evidence, "clock.met", "CK-S2"), "sla.breached")


def _second_breach(evidence: Evidence) -> None:
    add_to_clock(evidence, _a_clock(evidence, "sla.breached"), "sla.breached")


def _no_breach(evidence: Evidence) -> None:
    told = evidence.clocks[_a_clock(evidence, "sla.breached")]
    del told[max(told)]


def _breach_not_taken_back(evidence: Evidence) -> None:
    kinds = {i: [event.kind for _, event in sorted(told.items())] for i, told in evidence.clocks.items()}
    clock_id = next(i for i, told in kinds.items() if "sla.breach_retracted" in told)
    told = evidence.clocks[clock_id]
    for version in sorted(told)[kinds[clock_id].index("sla.breach_retracted") :]:
        del told[version]


def _early_breach(evidence: Evidence) -> None:
    told = evidence.clocks[_a_clock(evidence, "sla.breached")]
    last = max(told)
    told[last] = replace(told[last], published=told[last].due - timedelta(milliseconds=1))


def _clock_nobody_started(evidence: Evidence) -> None:
    any_: Told = next(iter(evidence.clocks.values()))[1]
    evidence.clocks["00000000-0000-0000-0000-000000000000"] = {1: any_}


def _clock_with_a_hole(evidence: Evidence) -> None:
    del evidence.clocks[_a_clock(evidence, "clock.met", "CK-S")][1]


def _dropped_dead_letter(evidence: Evidence) -> None:
    next(values for values in evidence.dead_letters["engagements-dlq"].values() if values).pop()


def _good_record_set_aside(evidence: Evidence) -> None:
    evidence.dead_letters["lead-scores-dlq"]["rules_failed"].add(b"{}")


def _no_score(evidence: Evidence) -> None:
    del evidence.scores[next(lead for lead in evidence.scores if evidence.oracle.known(lead).reachable)]


def _old_score(evidence: Evidence) -> None:
    known = evidence.oracle.known
    lead, score = next(
        (lead, score) for lead, score in evidence.scores.items() if score.points and known(lead).reachable
    )
    evidence.scores[lead] = replace(score, version=score.version - 1, points=0)


def _no_handoff(evidence: Evidence) -> None:
    oracle = evidence.oracle
    next(lead for name, lead in oracle.leads.items() if oracle.must_be_handed_off(name)).turns.clear()


def _handoff_of_a_stranger(evidence: Evidence) -> None:
    given = next(lead for lead in evidence.oracle.leads.values() if lead.handoffs)
    cold = next(lead for name, lead in evidence.oracle.leads.items() if not evidence.oracle.may_be_handed_off(name))
    cold.turns.update(given.turns)


def _lost_event(evidence: Evidence) -> None:
    for lead in evidence.oracle.leads.values():
        lead.facts.clear()


def _lost_rejection(evidence: Evidence) -> None:
    evidence.rejected.popitem()


def _an_alias(evidence: Evidence) -> tuple[str, str]:
    """One that has done something, and the person that it is."""
    oracle = evidence.oracle
    found = ((a, lead) for a, lead in oracle.aliases if lead not in oracle.aliases and evidence.facts[a])
    did = {name for name, lead in oracle.leads.items() if any("kind" in f.data for f in lead.facts.values())}
    return next((alias, lead) for alias, lead in found if alias in did)


def _fact_left_behind(evidence: Evidence) -> None:
    alias, lead = _an_alias(evidence)
    evidence.facts[lead] -= evidence.oracle.leads[alias].facts.keys()


def _alias_that_kept_points(evidence: Evidence) -> None:
    alias, _ = _an_alias(evidence)
    evidence.states[alias] = replace(evidence.states[alias], points=20)


def _copy_of_nothing(evidence: Evidence) -> None:
    alias, lead = _an_alias(evidence)
    known = evidence.oracle.leads[lead]
    known.copies["forged", "1"].append(Copy(alias, next(iter(known.facts.values()))))


def _link_that_was_not_passed_on(evidence: Evidence) -> None:
    evidence.linked["lead-handoffs"].pop()


def _link_that_nobody_made(evidence: Evidence) -> None:
    evidence.linked["lead-scores"].add(("one", "another"))


def _unlinked(evidence: Evidence) -> None:
    evidence.oracle.aliases = Aliases()


SPOILT: dict[Callable[[Evidence], None], str] = {
    _breach_of_a_lead_that_was_followed_up: KEPT,
    _second_breach: "a breach was published twice",
    _no_breach: "a breach is missing",
    _breach_not_taken_back: KEPT,
    _early_breach: "a breach was published before its due",
    _clock_nobody_started: "clocks ran that no handoff started",
    _clock_with_a_hole: "versions of a clock are missing",
    _dropped_dead_letter: "dead letters are missing",
    _good_record_set_aside: "dead letters where nobody sent poison",
    _no_score: "scores were never published",
    _old_score: "the latest published score is not what the facts are worth",
    _no_handoff: "handoffs are missing",
    _handoff_of_a_stranger: "leads were handed off that do not qualify",
    _lost_event: "acknowledged events are not in their topic",
    _fact_left_behind: "the facts kept of a lead are not those on the topic",
    _alias_that_kept_points: "a stored lead is not what its facts are worth",
    _copy_of_nothing: "copies were made of what no alias of the lead did",
    _link_that_was_not_passed_on: "links are not on lead-handoffs",
    _link_that_nobody_made: "links are on lead-scores that mean nothing",
    _unlinked: "a stored lead is not what its facts are worth",
    _lost_rejection: "rejected items are not on events-rejected",
}
