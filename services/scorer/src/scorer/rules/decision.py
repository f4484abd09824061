"""Folds facts into a lead, and publishes its score only where that can change a decision downstream."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from schemas.envelope import Fact
from schemas.identity import derived_id
from schemas.scores import POLICY, TIME, LeadScored, fitting_ids
from scorer.rules.background import contact_of
from scorer.rules.basis import Basis, Statement
from scorer.rules.course import course_of
from scorer.rules.criteria import Criteria, Value
from scorer.rules.memo import Watch
from scorer.rules.names import ONE_NAME, Names
from scorer.rules.order import Instant, OrderKey, instant_of, key_of, text_of, time_of
from scorer.rules.tally import NOTHING_KNOWN, Tally, add, fold, require, stands_on
from scorer.rules.verdict import POINT, Earned, Verdict, may_differ, next_publication, settled_at, verdict_of

SOURCE = "baton/scorer"
OVERDUE = timedelta(minutes=1)
"""A tick later than this counts as lost."""
_QUIET = Watch(None)


@dataclass(frozen=True, slots=True)
class Published:
    """The score published last: its version (0: none yet), its thousandths, and digests of what a gate can read and of
    the contact. Earlier versions of the scorer stored neither thousandths nor contact: None.
    """

    version: int = 0
    digest: str = ""
    milli: int | None = None
    contact: str | None = None


NEVER_PUBLISHED = Published(milli=0, contact="")


@dataclass(frozen=True, slots=True)
class State:
    """What the scorer keeps of a lead: `tally` depends on the set of facts only, `published` also on their order.

    `fresh`: nothing is stored of the lead.
    """

    lead_id: str = ""
    tally: Tally = NOTHING_KNOWN
    published: Published = NEVER_PUBLISHED
    names: Names = ONE_NAME
    fresh: bool = field(default=False, compare=False, repr=False)


class Result(NamedTuple):
    """The state from now on, the score to publish, and when time alone changes it next."""

    state: State
    scored: LeadScored | None
    due: datetime | None


def decide(state: State, fact: Fact, criteria: Criteria, now: datetime) -> Result:
    """With one more fact: the lead's score, if that must be published again (see `_next_published`).

    Gives the very same state for a fact that changes nothing. Raises Late: see `recall`.
    """
    earlier = state.tally
    tally = earlier if state.names.hides(fact) else add(earlier, fact, criteria)
    before, after = earlier.basis, tally.basis
    watch = earlier.memo.watch if criteria.timed and before.at else _QUIET
    differs = tally.background.contact is not earlier.background.contact
    differs = differs or (after is not before and may_differ(before, after, criteria))
    if differs or watch is None or (watch.due is not None and watch.due <= _instant(after, now)):  # or a tick is lost
        return _result_at(state if tally is earlier else replace(state, tally=tally), criteria, now, fact)
    if after is not before and tally.memo.watch is not watch:
        tally = replace(tally, memo=tally.memo._replace(watch=watch))
    return Result(state if tally is earlier else replace(state, tally=tally), None, _time_of(watch))


def recall(
    state: State, earlier: Sequence[Fact], new: Sequence[Fact], criteria: Criteria, now: datetime
) -> list[Result]:
    """As `decide`, from all facts of the lead in any order, whatever tally the state has.

    `new` are those that are new. What another policy alone changes is a result of its own, before theirs.
    """
    results = list[Result]()
    if not new or not stands_on(state.tally.basis, criteria):
        results.append(_result_at(_folded(state, earlier, criteria), criteria, now, POLICY))
        state = results[-1].state
    if new:
        results.append(_result_at(_folded(state, [*earlier, *new], criteria), criteria, now, new[-1]))
    return results


def _folded(state: State, facts: Sequence[Fact], criteria: Criteria) -> State:
    tally = fold([fact for fact in facts if not state.names.hides(fact)], criteria)
    return state if tally == state.tally else replace(state, tally=tally)


def age(state: State, criteria: Criteria, now: datetime) -> Result:
    """What time alone has changed. Raises Late for a tally of another policy."""
    require(state.tally.basis, criteria)
    return _result_at(state, criteria, now, TIME)


def _instant(basis: Basis, now: datetime) -> Instant:
    """A fact may be a little ahead of the database's clock; a lead is never judged before its latest fact."""
    return max(text_of(now), instant_of(basis.at))


def _result_at(state: State, criteria: Criteria, now: datetime, cause: Fact | str) -> Result:
    """The state judged at `now`, with a score where the judgement has to be published."""
    tally, basis = state.tally, state.tally.basis
    instant = _instant(basis, now)
    settled, memo = settled_at(basis, criteria, instant, tally.memo)
    course = course_of(basis, criteria, memo.course)
    verdict = verdict_of(course, settled, instant)
    published = _next_published(state, verdict, criteria)
    watch = Watch(next_publication(course, instant, verdict.milli if published.milli is None else published.milli))
    memo = memo._replace(course=None, watch=watch)  # a course is large, and many leads are in memory
    if published is not state.published:
        state = replace(state, tally=replace(tally, memo=memo), published=published)
        scored = _scored(state, verdict, cause, criteria, time_of(instant))
        return Result(state, scored, _time_of(watch))
    if memo != tally.memo:
        state = replace(state, tally=replace(tally, memo=memo))
    return Result(state, None, _time_of(watch))


def _time_of(watch: Watch | None) -> datetime | None:
    return None if watch is None or watch.due is None else time_of(watch.due)


def _next_published(state: State, verdict: Verdict, criteria: Criteria) -> Published:
    """What is published last from now on; the same object where nothing has to be published.

    Published is each change of band, of a fact that a gate can read, of intent or contact; else of whole points only.
    """
    last, basis = state.published, state.tally.basis
    near = last.milli is not None and abs(verdict.milli - last.milli) < POINT
    digest = digest_of(basis, verdict, criteria, last.milli if near else None)
    contact = _contact_digest(state.tally)
    if (digest, contact if digest else "") == (last.digest, last.contact):
        return last
    digest = digest_of(basis, verdict, criteria)
    return Published(last.version + 1, digest, verdict.milli, contact if digest else "")


def agrees(stored: State, tally: Tally, verdict: Verdict, criteria: Criteria, now: datetime) -> bool:
    """Whether the stored state, and what was published last, follow from the facts of this tally.

    `verdict` is of `now`. Where time alone changed something less than OVERDUE ago, its tick may still come: what was
    true since then is right as well.
    """
    if stored.tally != tally:
        return False
    right, basis, memo = [verdict], tally.basis, tally.memo
    if verdict.at is not None and now - verdict.at < OVERDUE:
        instant = max(text_of(now - OVERDUE), instant_of(basis.at))
        while instant < text_of(now):
            settled, memo = settled_at(basis, criteria, instant, memo)
            right.append(verdict_of(course_of(basis, criteria, memo.course), settled, instant))
            instant = text_of(now) if settled.until is None else settled.until
    last = stored.published  # an earlier version's cannot be compared
    return last.milli is None or any(_next_published(stored, each, criteria) is last for each in right)


def _contact_digest(tally: Tally) -> str:
    """Digest of the contact without its address, 16 characters; empty where nothing is known."""
    known = {name: statement.value for name, statement in tally.background.contact.items()}
    return blake2b(json.dumps(known).encode(), digest_size=8).hexdigest() if known else ""


def digest_of(basis: Basis, verdict: Verdict, criteria: Criteria, milli: int | None = None) -> str:
    """Digest of the score and what a gate can read, 16 characters; empty while both are those of an unknown lead.

    The lowest band is left out: every lead is in it. `milli` stands for the verdict's.
    """
    milli = verdict.milli if milli is None else milli
    conditions = {name: since for name, since in verdict.facts.items() if name != f"band:{criteria.bands[0].name}"}
    if not (milli or conditions or basis.intent):
        return ""
    engaged = verdict.engaged_at or ""
    parts = [
        milli,
        verdict.band,
        conditions,
        basis.intent,
        basis.address,
        engaged[:10],
    ]  # by the day: no score per page view
    return blake2b(json.dumps(parts, default=datetime.isoformat).encode(), digest_size=8).hexdigest()


def _scored(state: State, verdict: Verdict, cause: Fact | str, criteria: Criteria, at: datetime) -> LeadScored:
    """The event, validated in one call: that is most of what a new lead costs."""
    basis, background = state.tally.basis, state.tally.background
    data = {
        "score": verdict.points,
        "fit": verdict.points_of("fit"),
        "engagement": verdict.points_of("engagement"),
        "band": verdict.band,
        "band_since": verdict.band_since,
        "facts": verdict.facts,
        "intent": _intent(basis.intent),
        "explanation": [_line(line, len(verdict.lines)) for line in verdict.lines],
        "touchpoints": [_touchpoint(touch) for touch in background.touches],
        "contact": {"email": basis.address, **contact_of(background)},
        "origin": {"first": _value(background.origin_first), "last": _value(background.origin_last)},
        "engaged_at": None if verdict.engaged_at is None else time_of(verdict.engaged_at),
        "cause": cause.event.id if isinstance(cause, Fact) else cause,
        "policy": criteria.policy,
        "as_of": at,
        "version": state.published.version,
    }
    return LeadScored.model_validate(
        {
            "id": derived_id("scored", state.lead_id, state.published.version),
            "source": SOURCE,
            "subject": state.lead_id,
            "time": _time(cause, verdict) or at,
            "finaltime": True,
            "data": data,
        }
    )


def _time(cause: Fact | str, verdict: Verdict) -> datetime | None:
    return cause.time if isinstance(cause, Fact) else verdict.at if cause == TIME else None


def _intent(asked: OrderKey | None) -> dict[str, object]:
    return {} if asked is None else {"level": "high", "since": time_of(asked), "event": key_of(asked)[1]}


def _line(line: Earned, lines: int) -> dict[str, object]:
    shown = fitting_ids(events := [key_of(order)[1] for order in line.evidence], lines)
    return {
        "rule": line.rule,
        "group": line.group,
        "points": line.milli / 1000,
        "cut": line.cut,
        "since": line.since,
        "events": shown,
        "omitted": len(events) - len(shown) or None,
    }


def _touchpoint(touch: str) -> dict[str, object]:
    _, _, event, kind, content, campaign = touch.split("\t")
    return {
        "time": time_of(touch),
        "kind": kind,
        "content": content or None,
        "campaign": campaign or None,
        "event": event,
    }


def _value(statement: Statement | None) -> Value | None:
    return None if statement is None else statement.value
