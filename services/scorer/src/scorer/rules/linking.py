"""What follows where a lead turns out to be another one: what is told downstream, and published again for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from schemas.engagements import Erasure, LeadErased, LeadLinked, LeadMerged, LeadUnmerged, Merge
from schemas.envelope import Envelope, Fact
from schemas.erasure import passed_on
from schemas.identity import derived_id, respelt
from schemas.scores import Conflict, LeadIdentityConflict, LinkedOnScores, MergedOnScores, UnmergedOnScores
from scorer.rules.decision import NEVER_PUBLISHED, SOURCE, State
from scorer.rules.names import (
    Names,
    names_itself,
    names_somebody,
    read_again,
    utc,
    with_alias,
    with_link,
    with_merges,
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
        if before.links is None:
            if fact.event.via not in before.masked:
                told.names = with_alias(before, fact.event.data.alias)
        elif not before.is_passing(fact):
            told.copies.append((fact, before.links.lead_at(utc(fact))))
        return told
    after = with_link(before, lead_id, fact)
    if after is None:
        told.counts[REFUSED] += 1
        return told
    told.names, link = after, fact.event.data
    told.copies.append((fact, link.lead))
    told.events.append(passed_on(fact, LinkedOnScores, SOURCE))
    if link.alias_by == "user_id" and before.links is not None and after is not before:
        told.counts[CONFLICTS] += 1
        told.events.append(_conflict(fact, before.links.leads[-1]))
    return told


def named_anew(state: State, earlier: Sequence[Fact], new: Sequence[Fact]) -> Named:
    """As `named`, from all facts of the lead; the new ones that an alias gets are published for its leads."""
    told = Named(state.names)
    if state.names.unread:
        told.names = read_again(earlier)
        old = [fact for fact in earlier if isinstance(fact.event, LeadLinked) and names_itself(fact)]
        told.copies += [(fact, fact.event.data.lead) for fact in old]
        told.events += [passed_on(fact, LinkedOnScores, SOURCE) for fact in old]
        told.events += _respelt(state.lead_id, earlier)
    for fact in new:
        if isinstance(fact.event, LeadLinked):
            named(state, fact, told)
        elif not names_somebody(fact):
            if told.names.links is not None and not told.names.is_passing(fact):
                told.copies.append((fact, told.names.links.lead_at(utc(fact))))
        else:
            _merge(state, fact, told)
    told.names = with_merges(told.names, state.lead_id, [*earlier, *new])
    return told


def _respelt(lead_id: str, facts: Sequence[Fact]) -> list[LeadMerged]:
    """The merge of a lead whose address an earlier version had spelt otherwise into that of the right spelling."""
    said = (getattr(fact.event.data, "identifiers", None) for fact in facts)
    for email in (names.email for names in said if names is not None and names.email):
        if (right := respelt(lead_id, email)) is not None:
            first = min(facts, key=lambda fact: fact.order)
            data = Merge(alias=lead_id, lead=right, because="the same address, spelt otherwise")
            event_id = derived_id("respelt", lead_id, right)
            return [LeadMerged(id=event_id, source=SOURCE, subject=lead_id, time=first.time, finaltime=True, data=data)]
    return []


def _merge(state: State, fact: Fact, told: Named) -> None:
    """Passes a merge or an unmerge on; whether it is the latest one is for `with_merges` to say."""
    links, merge = told.names.links, fact.event.data
    if names_itself(fact):
        if merge.lead == state.lead_id or (links is not None and not told.names.merged):
            told.counts[REFUSED] += 1
            return
        told.copies.append((fact, merge.lead))
    elif links is None:
        told.names = with_alias(told.names, merge.alias)
    elif not told.names.is_passing(fact):
        told.copies.append((fact, links.lead_at(utc(fact))))
    told.events.append(passed_on(fact, PASSED[type(fact.event)], SOURCE))


def as_alias(state: State, names: Names) -> State:
    """The state of a lead that is another one: it has no score. The version stays, so that no later score reuses it."""
    bare = replace(NEVER_PUBLISHED, version=state.published.version)
    return State(state.lead_id, NOTHING_KNOWN, bare, names)


def moved(state: State, facts: Sequence[Fact], *, last: bool) -> tuple[State, Copies]:
    """The state after the next slice of the alias' facts, and for which leads they are published.

    What the alias says of its own names was published when it came.
    """
    links = state.names.links
    assert links is not None  # noqa: S101 - only an alias is moved
    copies = [(fact, links.lead_at(utc(fact))) for fact in facts if not names_itself(fact)]
    after = None if last or not facts else facts[-1].key
    return replace(state, names=replace(state.names, after=after)), copies


def erased_with(state: State, fact: Fact) -> tuple[LeadErased, ...]:
    """The erasures of the lead's other names. One of an alias of one lead, by anybody else, is that lead's too."""
    names = state.names
    others = list(names.aliases)
    if names.links is not None and len(names.links.leads) == 1 and fact.event.source != SOURCE:
        others += names.links.leads
    return tuple(erasure(other, fact) for other in others)


def erasure(of: str, fact: Fact) -> LeadErased:
    """The erasure of another name, since the lead of this fact is erased."""
    event_id = derived_id("erased", of, fact.lead_id)
    return LeadErased(id=event_id, source=SOURCE, subject=of, time=fact.time, finaltime=True, data=Erasure())


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
