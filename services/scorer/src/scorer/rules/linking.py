"""What follows where a lead turns out to be another one: what is told downstream, and published again for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.engagements import LeadLinked, LeadMerged, LeadUnmerged, Merge
from schemas.envelope import Envelope, Fact
from schemas.erasure import passed_on
from schemas.identity import derived_id, respelt
from schemas.scores import Conflict, LeadIdentityConflict, LinkedOnScores, MergedOnScores, UnmergedOnScores
from scorer.rules.decision import NEVER_PUBLISHED, SOURCE, Published, State
from scorer.rules.names import (
    Names,
    names_itself,
    names_somebody,
    read_again,
    takes,
    with_alias,
    with_joined,
    with_link,
    with_masks,
    with_own_merge,
)
from scorer.rules.tally import NOTHING_KNOWN

REFUSED, CONFLICTS = "links_refused", "identity_conflicts"
"""Totals: links that are kept and mean nothing; user ids seen with a second address."""
PASSED = {LeadLinked: LinkedOnScores, LeadMerged: MergedOnScores, LeadUnmerged: UnmergedOnScores}
Copies = list[tuple[Fact, str]]


@dataclass(slots=True)
class Named:
    """The lead's names after some facts, the events and totals that follow, and facts to publish for other leads."""

    names: Names
    events: list[Envelope] = field(default_factory=list)
    copies: Copies = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def named(state: State, fact: Fact, so_far: Named | None = None) -> Named:
    """What follows from one more link of the lead, its own or one of another alias that has come to it.

    Merges and unmerges need all facts: see `named_anew`.
    """
    told = so_far or Named(state.names)
    before, lead_id = told.names, state.lead_id
    if not names_itself(fact):
        if not before.hides(fact):
            told.names = with_alias(before, fact.event.data.alias)
        if before.links is not None and not before.is_passing(fact):
            told.copies.append(before.copy(fact))
        return told
    after = with_link(before, lead_id, fact)
    if after is None:
        told.counts[REFUSED] += 1
        return told
    told.names, link = after, fact.event.data
    told.copies.append((fact, link.lead))
    if after is before:  # said before, on another day
        return told
    told.events.append(passed_on(fact, LinkedOnScores, SOURCE))
    if link.alias_by == "user_id" and before.links is not None:
        told.counts[CONFLICTS] += 1
        told.events.append(_conflict(fact, before.links.leads[-1]))
    return told


def named_anew(state: State, earlier: Sequence[Fact], new: Sequence[Fact], now: datetime) -> Named:
    """As `named`, from all facts of the lead; the new ones that an alias gets are published for its leads."""
    told = Named(with_joined(state.names, [*earlier, *new]))
    if state.names.unread:
        told.names = read_again(earlier)
        old = [fact for fact in earlier if isinstance(fact.event, LeadLinked) and names_itself(fact)]
        told.copies += [(fact, fact.event.data.lead) for fact in old]
        told.events += [passed_on(fact, LinkedOnScores, SOURCE) for fact in old]
        told.events += _respelt(state.lead_id, earlier, now)
    for fact in new:
        if isinstance(fact.event, LeadLinked):
            named(state, fact, told)
        elif not names_somebody(fact):
            if told.names.links is not None and not told.names.is_passing(fact):
                told.copies.append(told.names.copy(fact))
        else:
            _merge(fact, [*earlier, *new], told)
    told.names = with_masks(told.names, [*earlier, *new])
    return told


def _respelt(lead_id: str, facts: Sequence[Fact], now: datetime) -> list[LeadMerged]:
    """The merge of a lead whose address an earlier version had spelt otherwise into that of the right spelling.

    It happens now: what was done about the lead before keeps its effect.
    """
    said = (getattr(fact.event.data, "identifiers", None) for fact in facts)
    for email in (names.email for names in said if names is not None and names.email):
        if (right := respelt(lead_id, email)) is not None:
            data = Merge(alias=lead_id, lead=right, because="the same address, spelt otherwise")
            event_id = derived_id("respelt", lead_id, right)
            return [LeadMerged(id=event_id, source=SOURCE, subject=lead_id, time=now, finaltime=True, data=data)]
    return []


def _merge(fact: Fact, facts: Sequence[Fact], told: Named) -> None:
    """Takes a merge or an unmerge, and passes it on; whether another one is the latest is for the names to say."""
    names, merge = told.names, fact.event.data
    if names_itself(fact):
        if not takes(names, fact):
            told.counts[REFUSED] += 1
            return
        told.names = with_own_merge(names, merge.lead, facts)
        told.copies.append((fact, merge.lead))
    else:
        told.names = with_alias(names, merge.alias)
        if names.links is not None and not names.is_passing(fact):
            told.copies.append(names.copy(fact))
        if names.links is not None:
            return
    told.events.append(passed_on(fact, PASSED[type(fact.event)], SOURCE))


def as_alias(state: State, names: Names) -> State:
    """The state of a lead that is another one: it has no score. The version stays, so that no later score reuses it."""
    return State(state.lead_id, NOTHING_KNOWN, untold(state).published, names)


def untold(state: State) -> State:
    """The state as if it were not known which score was published last, so that the next one is, whatever it is."""
    version = state.published.version
    return replace(state, published=Published(version) if version else NEVER_PUBLISHED)


def moved(state: State, facts: Sequence[Fact], *, last: bool) -> tuple[State, Copies]:
    """The state after the next slice of the alias' facts, and for which leads they are published.

    What the alias says of its own names was published when it came.
    """
    copies = [state.names.copy(fact) for fact in facts if not names_itself(fact)]
    after = None if last or not facts else facts[-1].key
    return replace(state, names=replace(state.names, after=after)), copies


def _conflict(fact: Fact, earlier: str) -> LeadIdentityConflict:
    link = fact.event.data
    return LeadIdentityConflict(
        id=derived_id("conflict", link.alias, link.lead),
        source=SOURCE,
        subject=fact.lead_id,
        time=fact.time,
        finaltime=True,
        data=Conflict(earlier=earlier, later=link.lead, since=fact.time),
    )
