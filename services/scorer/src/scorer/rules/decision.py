"""What is published of a lead, and when: only what someone downstream would decide differently on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from schemas.envelope import Fact
from schemas.erasure import Tombstone
from schemas.identity import derived_id
from schemas.scores import POLICY, TIME, LeadScored, told_of
from scorer.rules.basis import Basis, Statement, Watch
from scorer.rules.criteria import Criteria, Value
from scorer.rules.place import Instant, Place, instant_of, key_of, text_of, time_of
from scorer.rules.tally import NOTHING_KNOWN, Tally, add, fold, require, stands_on
from scorer.rules.verdict import POINT, Earned, Verdict, can_tell, next_told, score, settled_at

SOURCE = "baton/scorer"
OVERDUE = timedelta(minutes=1)
"""A tick that has not come for so long does not come any more."""
_QUIET = Watch(None)


@dataclass(frozen=True, slots=True)
class Published:
    """The latest score that was published, by its version (none yet: 0), its thousandths, and digests of what a gate
    can read and of the contact. An earlier version of the scorer kept neither thousandths nor contact: None.
    """

    version: int = 0
    digest: str = ""
    milli: int | None = None
    contact: str | None = None


NEVER_PUBLISHED = Published(milli=0, contact="")


@dataclass(frozen=True, slots=True)
class State:
    """What the scorer keeps of a lead: `tally` follows from the set of facts, `published` also from their order.

    `unkept` counts by reason the events that were dropped.
    """

    lead_id: str = ""
    tally: Tally = NOTHING_KNOWN
    published: Published = NEVER_PUBLISHED
    unkept: Mapping[str, int] = field(default_factory=dict)
    erased: Tombstone | None = None


class Outcome(NamedTuple):
    """The state from now on, the score to publish if there is one, and when time alone changes it next."""

    state: State
    scored: LeadScored | None
    due: datetime | None


def decide(state: State, fact: Fact, criteria: Criteria, now: datetime) -> Outcome:
    """With one more fact: the lead's score, if that has to be told anew (see `_publish`).

    Gives the very same state for a fact that changes nothing. Raises Late: see `judge`.
    """
    tally = add(state.tally, fact, criteria)
    before, after, contact = state.tally.basis, tally.basis, state.tally.background.contact
    state = state if tally is state.tally else replace(state, tally=tally)
    watch = before.watch if criteria.timed and before.at else _QUIET
    tells = tally.background.contact is not contact or (after is not before and can_tell(before, after, criteria))
    if tells or watch is None or (watch.due is not None and watch.due <= _instant(state, now)):  # no tick may come
        return _told(state, criteria, now, fact)
    after.remember(watch=watch)
    return Outcome(state, None, _time_of(watch))


def judge(
    state: State, earlier: Sequence[Fact], heard: Sequence[Fact], criteria: Criteria, now: datetime
) -> list[Outcome]:
    """As `decide`, from all facts of the lead in any order, whatever the state had gathered.

    `heard` are the new ones. What another policy alone changes is an outcome of its own, before theirs.
    """
    outcomes = list[Outcome]()
    if not heard or not stands_on(state.tally.basis, criteria):
        outcomes.append(_told(_folded(state, earlier, criteria), criteria, now, POLICY))
        state = outcomes[-1].state
    if heard:
        outcomes.append(_told(_folded(state, [*earlier, *heard], criteria), criteria, now, heard[-1]))
    return outcomes


def _folded(state: State, facts: Sequence[Fact], criteria: Criteria) -> State:
    tally = fold(facts, criteria)
    return state if tally == state.tally else replace(state, tally=tally)


def age(state: State, criteria: Criteria, now: datetime) -> Outcome:
    """What time alone has changed. Raises Late for a tally of another policy."""
    require(state.tally.basis, criteria)
    return _told(state, criteria, now, TIME)


def _instant(state: State, now: datetime) -> Instant:
    """A fact may be ahead of the database's clock by a little; it is never judged before it happened."""
    return max(text_of(now), instant_of(state.tally.basis.at))


def _told(state: State, criteria: Criteria, now: datetime, cause: Fact | str) -> Outcome:
    instant, basis, scored = _instant(state, now), state.tally.basis, None
    verdict = score(basis, criteria, instant)
    published = _publish(state, verdict, criteria)
    if published is not state.published:
        state = replace(state, published=published)
        scored = _scored(state, verdict, cause, criteria, time_of(instant))
    told = verdict.milli if published.milli is None else published.milli
    watch = Watch(next_told(basis, criteria, instant, told))
    basis.remember(watch=watch, course=None, earlier=None)  # not before: where telling fails, it is still due
    return Outcome(state, scored, _time_of(watch))


def _time_of(watch: Watch | None) -> datetime | None:
    return None if watch is None or watch.due is None else time_of(watch.due)


def _publish(state: State, verdict: Verdict, criteria: Criteria) -> Published:
    """What is published last, the same object where nothing has to be told (business.md B.2).

    Told is any change of band, of a fact that a gate can read, of intent or contact; else of whole points only.
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
    """Whether what is stored and was last published is what the facts of this tally come to.

    `verdict` is as of `now`; where time alone changed something less than OVERDUE ago its tick may be on its way, and
    what was true since then is right as well.
    """
    if stored.tally != tally:
        return False
    right, basis = [verdict], tally.basis
    if verdict.at is not None and now - verdict.at < OVERDUE:
        instant = max(text_of(now - OVERDUE), instant_of(basis.at))
        while instant < text_of(now):
            right.append(score(basis, criteria, instant))
            until = settled_at(basis, criteria, instant).until
            instant = text_of(now) if until is None else until
    last = stored.published  # an earlier version's cannot be compared
    return last.milli is None or any(_publish(stored, each, criteria) is last for each in right)


def _contact_digest(tally: Tally) -> str:
    """What is told of the person beside the address, in 16 characters; none where nothing is known."""
    known = {name: statement.value for name, statement in tally.background.contact.items()}
    return blake2b(json.dumps(known).encode(), digest_size=8).hexdigest() if known else ""


def digest_of(basis: Basis, verdict: Verdict, criteria: Criteria, milli: int | None = None) -> str:
    """What a gate can read and the score, in 16 characters; none while that is what one could say of any stranger.

    The lowest band says nothing: each lead is in it as long as anything is true of it. `milli`: another score's.
    """
    milli = verdict.milli if milli is None else milli
    facts = {name: since for name, since in verdict.facts.items() if name != f"band:{criteria.bands[0].name}"}
    if not (milli or facts or basis.intent):
        return ""
    email = basis.email.value if basis.email else None
    engaged = verdict.engaged_at or ""
    told = [milli, verdict.band, facts, basis.intent, email, engaged[:10]]  # by the day: no score per page view
    return blake2b(json.dumps(told, default=datetime.isoformat).encode(), digest_size=8).hexdigest()


def _scored(state: State, verdict: Verdict, cause: Fact | str, criteria: Criteria, at: datetime) -> LeadScored:
    """The event; validated in one go, since most of what a new lead costs is this."""
    basis, background = state.tally.basis, state.tally.background
    contact = {name: statement.value for name, statement in background.contact.items()}
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
        "contact": {"email": _value(basis.email), **contact},
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


def _intent(asked: Place | None) -> dict[str, object]:
    return {} if asked is None else {"level": "high", "since": time_of(asked), "event": key_of(asked)[1]}


def _line(line: Earned, lines: int) -> dict[str, object]:
    told = told_of(events := [key_of(place)[1] for place in line.evidence], lines)
    return {
        "rule": line.rule,
        "group": line.group,
        "points": line.milli / 1000,
        "cut": line.cut,
        "since": line.since,
        "events": told,
        "omitted": len(events) - len(told) or None,
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
