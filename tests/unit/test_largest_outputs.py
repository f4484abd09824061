"""The largest output of every kind that contract and policy allow: it fits its topic."""

import types
from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import AwareDatetime, BaseModel

from chassis.kafka.publisher import Record, size_of
from chassis.service import At
from router.rules.answer import MOST_DONE, MOST_THROUGH
from router.rules.lead import MERGES_KEPT, Lead
from schemas.engagements import EngagementRecorded
from schemas.envelope import Envelope
from schemas.handoffs import Done, LeadHandedOff, LeadQualified, Qualification
from schemas.merging import Absorbed, AbsorbedEpisode, Awaited, LeadAbsorbed
from schemas.policy import Policy
from schemas.scores import EVIDENCE_BYTES, LeadScored, Line, fitting
from schemas.scoring import MOST_EVENTS, MOST_RULES, Rule
from schemas.sizes import MAX_RECORD, record_limit
from schemas.topics import TOPICS
from tests.builders import LEAD, NOON, a_description, a_fact, a_policy, a_score, an_engagement, at
from tests.unit.router.journeys import go
from tests.unit.scorer.driver import a_scorer

ID = "🦜" * 255
"""The longest id, in bytes."""
TEXT = "\x01" * 1024
"""The longest text of a description as JSON has it."""
MOST_SPANS = 500
"""The longest array: the spans of an erasure in part."""
LEAD_IDS = frozenset(("subject", "via", "mergedvia", "alias", "lead", "earlier", "later"))
"""Fields that hold a lead's id."""
WHOLE = (LeadScored, LeadQualified, LeadHandedOff)
"""Those with a score in them; the others are made of ids and names alone."""
OUTPUTS = [
    event for name in ("lead-scores", "lead-handoffs", "sla-clocks", "sla-breaches") for event in TOPICS[name].events
]


@cache
def _policy(rules: int) -> Policy:
    """classic-50 with so many rules that each pay for as many engagements as one may."""
    policy = a_policy("classic-50")
    paying = tuple(
        Rule.model_validate(
            {
                "id": f"r{number}".ljust(64, "x"),
                "group": "engagement",
                "points": 1,
                "engagement": {"kind": f"kind{number}"},
                "award": "per_event",
                "total_cap": MOST_EVENTS,
            }
        )
        for number in range(rules)
    )
    return policy.model_copy(update={"scoring": policy.scoring.model_copy(update={"rules": paying})})


def _engagements(rules: int) -> Iterable[EngagementRecorded]:
    for rule in range(rules):
        for number in range(MOST_EVENTS):
            id_ = f"{rule}.{number}".ljust(len(ID), ID[0])
            yield an_engagement(f"kind{rule}", TEXT, id=id_, time=at(number), campaign=TEXT, channel=TEXT)


@cache
def _scored(rules: int) -> LeadScored:
    texts = dict.fromkeys(("name", "phone", "title", "company", "industry", "country"), TEXT)
    facts = [a_fact(event) for event in (a_description(id=ID, **texts), *_engagements(rules))]
    scorer, now = a_scorer(_policy(rules)), NOON + timedelta(days=1)
    [scored] = scorer.recall(scorer.new(LEAD), [], facts, At(now, now)).events
    assert isinstance(scored, LeadScored)
    return scored


def _fits(event: Envelope) -> bool:
    return size_of(Record(event.topic, event.subject.encode(), event.encode())) < record_limit(event.topic)


def test_a_score_of_1200_engagements_fits_and_says_how_many_ids_it_leaves_out() -> None:
    scored = _scored(6)
    assert _fits(scored)
    assert [len(line.events) + (line.omitted or 0) for line in scored.data.explanation] == [MOST_EVENTS] * 6
    assert all(line.events and line.omitted for line in scored.data.explanation)
    assert scored.data.explanation[0].events[0].startswith("0.0")


def test_the_largest_score_and_the_handoff_of_it_fit() -> None:
    """As many lines as a policy can have, of which each may tell no more than its share."""
    scored, lines = _scored(6), 4 * MOST_RULES
    line = scored.data.explanation[0]
    share = EVIDENCE_BYTES // lines
    full = line.model_copy(update={"events": ("x" * (share - 3),), "omitted": MOST_EVENTS, "cut": "per_day_cap"})
    largest = scored.model_copy(
        update={"data": scored.data.model_copy(update={"explanation": (full,) * lines, "cause": ID})}
    )
    assert _fits(largest)
    told = [event for event in go(Lead(LEAD), largest, policy=_policy(6)).events if isinstance(event, WHOLE)]
    assert {type(event) for event in told} == {LeadQualified, LeadHandedOff}
    assert all(map(_fits, told))
    assert len(largest.encode()) > 0.5 * MAX_RECORD
    taken_over, answer = _taken_over(next(event for event in told if isinstance(event, LeadHandedOff)))
    assert _fits(taken_over)
    assert _fits(answer)


def _taken_over(handoff: LeadHandedOff) -> tuple[LeadHandedOff, LeadAbsorbed]:
    """The handoff as one that was taken over, with all that goes with it, and the answer that brought it."""
    done = (
        Done(time=NOON, source=ID, id=ID, activity="feedback.submitted", reason="student_or_job_seeker"),
    ) * MOST_DONE
    source: dict[str, Any] = {"done": done, "through": (LEAD,) * MOST_THROUGH}
    data = handoff.data.model_copy(update={"cause": "merged", "alias": LEAD, "alias_episode": 1, **source})
    qualification = Qualification.model_validate(dict(handoff.data))
    owned = {"owner": data.owner, "handed_off_at": NOON, "targets": data.targets}
    episode = AbsorbedEpisode(qualification=qualification, **owned, **source)
    awaits = (Awaited(alias=LEAD, merged_at=NOON),) * MERGES_KEPT
    answer = Absorbed(alias=LEAD, merged_at=NOON, episode=episode, awaits=awaits)
    about = {"id": ID, "source": "baton/router", "subject": LEAD, "time": NOON}
    return handoff.model_copy(update={"data": data}), LeadAbsorbed(data=answer, **about)


def test_a_handoff_of_an_uncut_score_of_an_older_version_fits() -> None:
    line = Line(rule="r", group="engagement", points=65, since=NOON, events=(ID,) * 950)
    old = a_score(explanation=(line,))
    assert len(old.encode()) > 0.9 * MAX_RECORD
    handoffs = [event for event in go(Lead(LEAD), old).events if isinstance(event, LeadHandedOff)]
    [handoff] = handoffs
    [cut] = handoff.data.explanation
    assert len(handoff.encode()) < 300_000
    assert len(cut.events) + (cut.omitted or 0) == 950


def test_what_fits_is_told_whole() -> None:
    lines = a_score().data.explanation
    assert fitting(lines) is lines
    assert lines[0].omitted is None


@pytest.mark.parametrize("event", [each for each in OUTPUTS if each not in WHOLE], ids=lambda event: event.__name__)
def test_the_largest_of_every_other_kind_fits(event: type[Envelope]) -> None:
    built = _largest(event)
    assert isinstance(built, Envelope)
    assert _fits(built)


def _largest(of: Any) -> Any:
    """A value with every field, each text as long as the longest id."""
    if get_origin(of) is Literal:
        return max(get_args(of), key=lambda each: len(str(each)))
    if get_origin(of) in (Union, types.UnionType):
        return _largest(next(each for each in get_args(of) if each is not type(None)))
    if isinstance(of, type) and issubclass(of, BaseModel):
        fields = {name: _largest(field.annotation) for name, field in of.model_fields.items()}
        fields |= dict.fromkeys(LEAD_IDS & fields.keys(), LEAD)
        return of.model_validate(fields)
    if get_origin(of) is Annotated:
        return _largest(get_args(of)[0])
    if get_origin(of) is tuple:
        first, *more = get_args(of)
        return (_largest(first),) * MOST_SPANS if more == [...] else tuple(map(_largest, (first, *more)))
    plain = {str: ID, int: 2**31 - 1, float: -123456789.123, bool: False, AwareDatetime: NOON}
    return {} if get_origin(of) is dict else plain[of]
