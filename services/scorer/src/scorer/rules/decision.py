"""What is published of a lead, and when: only what someone downstream would decide differently on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b

from schemas.envelope import Fact
from schemas.identity import derived_id
from schemas.scores import LeadScored
from scorer.rules.criteria import Criteria, Value
from scorer.rules.place import Place, key_of, time_of
from scorer.rules.tally import Basis, Statement, Tally, add
from scorer.rules.verdict import Earned, Verdict, can_tell, score

SOURCE = "baton/scorer"


@dataclass(frozen=True, slots=True)
class Published:
    """The latest score that was published, by its version and a digest; none yet: 0."""

    version: int = 0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """What the scorer keeps of a lead: `tally` follows from the set of facts, `published` also from their order."""

    tally: Tally = field(default_factory=Tally)
    published: Published = field(default_factory=Published)


def decide(state: State, fact: Fact, criteria: Criteria, now: datetime) -> tuple[State, LeadScored | None]:
    """The state with one more fact, and the lead's score if the fact changed what a gate can read of it.

    Gives the very same state for a fact that changes nothing. Raises PolicyChanged.
    """
    tally = add(state.tally, fact, criteria)
    if tally is state.tally:
        return state, None
    if not can_tell(state.tally.basis, tally.basis, criteria):
        return State(tally, state.published), None
    verdict = score(tally.basis, criteria)
    digest = digest_of(tally.basis, verdict, criteria)
    if digest == state.published.digest:
        return State(tally, state.published), None
    published = Published(state.published.version + 1, digest)
    return State(tally, published), _scored(State(tally, published), verdict, fact, criteria, now)


def agrees(stored: State, tally: Tally, verdict: Verdict, criteria: Criteria) -> bool:
    """Whether what is stored and was last published is what the facts of this tally come to."""
    return stored.tally == tally and stored.published.digest == digest_of(tally.basis, verdict, criteria)


def digest_of(basis: Basis, verdict: Verdict, criteria: Criteria) -> str:
    """What a gate can read, in 16 characters; none while that is what one could say of any stranger.

    The lowest band says nothing: every lead has been in it for as long as anything else can be true of it.
    """
    facts = {name: since for name, since in verdict.facts.items() if name != f"band:{criteria.bands[0].name}"}
    if not (verdict.milli or facts or basis.intent):
        return ""
    email = basis.email.value if basis.email else None
    told = [verdict.milli, verdict.band, facts, basis.intent, email]
    return blake2b(json.dumps(told, default=datetime.isoformat).encode(), digest_size=8).hexdigest()


def _scored(state: State, verdict: Verdict, fact: Fact, criteria: Criteria, now: datetime) -> LeadScored:
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
        "explanation": [_line(line) for line in verdict.lines],
        "touchpoints": [_touchpoint(touch) for touch in background.touches],
        "contact": {"email": _value(basis.email), **contact},
        "origin": {"first": _value(background.origin_first), "last": _value(background.origin_last)},
        "cause": fact.event.id,
        "policy": criteria.policy,
        "as_of": now,
        "version": state.published.version,
    }
    return LeadScored.model_validate(
        {
            "id": derived_id("scored", fact.lead_id, state.published.version),
            "source": SOURCE,
            "subject": fact.lead_id,
            "time": fact.time,
            "finaltime": True,
            "data": data,
        }
    )


def _intent(asked: Place | None) -> dict[str, object]:
    return {} if asked is None else {"level": "high", "since": time_of(asked), "event": key_of(asked)[1]}


def _line(line: Earned) -> dict[str, object]:
    events = [key_of(place)[1] for place in line.evidence]
    return {"rule": line.rule, "group": line.group, "points": line.milli / 1000, "since": line.since, "events": events}


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
