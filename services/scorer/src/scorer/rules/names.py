"""The other names of a lead: of a person its aliases, of an alias the leads that it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from schemas.engagements import LeadLinked, LeadMerged, LeadUnmerged, Link
from schemas.envelope import Envelope, Fact
from schemas.identity import derived_id
from schemas.links import STRENGTH, Links, linked

MOST_ALIASES = 1_000
"""Most aliases kept of a lead; more are only counted."""
Key = tuple[str, str]
START: Key = ("", "")
"""Before the (source, id) of every fact."""


@dataclass(frozen=True, slots=True)
class Names:
    """`links` has the leads of an alias, `merged`: by a merge, which can be undone. Without, the lead is a person.

    `after`: the alias' earlier facts are being moved to its leads; those up to this (source, id) have been.
    `aliases` are the other names of the lead, `more` counts those without room. Facts that came `via` one of `masked`
    do not count: it was unmerged. `unread`: the links are still to be read from the facts, an earlier version kept
    them there only. `joined` were ever merged into the lead, or into one of them: what came `via` one of these is
    published again with its name, so that an unmerge takes it away from every lead of a chain. `gone` are
    those leads of an alias that are erased, never all of them.
    """

    links: Links | None = None
    merged: bool = False
    after: Key | None = None
    aliases: tuple[str, ...] = ()
    more: int = 0
    masked: tuple[str, ...] = ()
    unread: bool = False
    joined: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def is_passing(self, fact: Fact) -> bool:
        """Whether a new fact of the alias is still ahead of the move, which will take it along."""
        return self.after is not None and fact.key > self.after

    def copy(self, fact: Fact) -> tuple[Fact, str]:
        """The alias' fact, as it is published again, and the lead for which."""
        assert self.links is not None  # noqa: S101 - only what an alias has is published again
        if fact.event.via in self.joined and fact.event.mergedvia is None:
            fact = fact._replace(event=fact.event.model_copy(update={"mergedvia": fact.event.via}))
        return fact, self.links.lead_at(utc(fact))

    def hides(self, fact: Fact) -> bool:
        """Whether the fact came by somebody who was unmerged."""
        return bool(self.masked) and (fact.event.via in self.masked or fact.event.mergedvia in self.masked)

    def is_gone(self, fact: Fact) -> bool:
        """Whether the fact of the alias belongs to an erased lead."""
        return bool(self.gone) and self.links is not None and self.links.lead_at(utc(fact)) in self.gone


ONE_NAME = Names()


def names_somebody(fact: Fact) -> bool:
    """Whether the fact is about names."""
    return isinstance(fact.event, LeadLinked | LeadMerged | LeadUnmerged)


def names_itself(fact: Fact) -> bool:
    """Whether the fact's lead is the alias that it is about."""
    return names_somebody(fact) and bool(fact.event.data.alias == fact.lead_id)


def with_link(names: Names, lead_id: str, fact: Fact) -> Names | None:
    """The names of the alias with one more link; None where the link is refused.

    It has to go from a weaker identifier to a stronger one, and to none of its own aliases; a merged lead, or one of
    too many links, takes no more.
    """
    link: Link = fact.event.data
    upward = link.alias_by is not None and _counts(fact)
    if not upward or link.lead == lead_id or names.merged or link.lead in names.aliases:
        return None
    links = linked(names.links, link.lead, utc(fact))
    if links is names.links:
        return names if links is not None and links.lead_at(utc(fact)) == link.lead else None
    return replace(names, links=links, after=START if names.links is None else names.after)


def with_alias(names: Names, alias: str) -> Names:
    """The names of the lead with one more alias."""
    if alias in names.aliases:
        return names
    if len(names.aliases) >= MOST_ALIASES:
        return replace(names, more=names.more + 1)
    return replace(names, aliases=(*names.aliases, alias))


def merges_of(facts: Iterable[Fact]) -> dict[str, Fact]:
    """Alias -> the latest of its merges and unmerges, in the lead's order."""
    found = [fact for fact in facts if isinstance(fact.event, LeadMerged | LeadUnmerged)]
    return {fact.event.data.alias: fact for fact in sorted(found, key=lambda fact: fact.order)}


def takes(names: Names, fact: Fact) -> bool:
    """Whether the alias takes a merge or unmerge of its own: not into itself, nor into one of its own aliases, which
    would be a cycle; nor while it is another lead already, by a link or by another merge.
    """
    lead, links = fact.event.data.lead, names.links
    if lead == fact.lead_id or (links is not None and (not names.merged or links.leads != (lead,))):
        return False
    return isinstance(fact.event, LeadUnmerged) or lead not in names.aliases


def with_own_merge(names: Names, lead: str, facts: Sequence[Fact]) -> Names:
    """The names of the alias by the latest of its merges into that lead and unmerges from it."""
    own = max((fact for fact in facts if names_itself(fact) and _of(fact, lead)), key=lambda fact: fact.order)
    if isinstance(own.event, LeadUnmerged):
        return replace(names, links=None, merged=False, after=None) if names.merged else names
    if names.merged:
        return names
    return replace(names, links=Links(lead, ((utc(own), lead),)), merged=True, after=START)


def _of(fact: Fact, lead: str) -> bool:
    return isinstance(fact.event, LeadMerged | LeadUnmerged) and bool(fact.event.data.lead == lead)


def with_joined(names: Names, facts: Iterable[Fact]) -> Names:
    """The names with those that were ever merged into the lead, by all its facts."""
    said = (fact for fact in facts if isinstance(fact.event, LeadMerged | LeadUnmerged) and not names_itself(fact))
    joined = tuple(sorted({fact.event.data.alias for fact in said}))
    return names if joined == names.joined else replace(names, joined=joined)


def with_masks(names: Names, facts: Sequence[Fact]) -> Names:
    """The names by the latest merge, unmerge or link of each other alias among all facts of the lead."""
    said = [fact for fact in facts if names_somebody(fact) and not names_itself(fact)]
    latest = {fact.event.data.alias: fact.event for fact in sorted(said, key=lambda fact: fact.order)}
    masked = tuple(sorted(alias for alias in latest if _is_apart(alias, latest)))
    if masked or names.masked:
        return _without(replace(names, masked=masked, aliases=(), more=0), facts)
    return names


def _is_apart(alias: str, latest: Mapping[str, Envelope]) -> bool:
    """Whether the alias was unmerged, or the lead that it was merged into was."""
    for _ in latest:  # once for each step of a chain, at the most
        event = latest.get(alias)
        if not isinstance(event, LeadMerged):
            return isinstance(event, LeadUnmerged)
        alias = event.data.lead
    return False


def _without(names: Names, facts: Sequence[Fact]) -> Names:
    """With the aliases that these facts tell, but for the masked ones and those that came via one."""
    for fact in sorted(facts, key=lambda fact: fact.order):
        if names_somebody(fact) and not names_itself(fact):
            alias = fact.event.data.alias
            if alias not in names.masked and not names.hides(fact):
                names = with_alias(names, alias)
    return names


def names_by(lead_id: str, facts: Sequence[Fact]) -> Names:
    """The names that the facts of a lead amount to, without its aliases. One of no known version's links counts."""
    names = read_again([fact for fact in facts if isinstance(fact.event, LeadLinked) and _counts(fact)])
    if names.links is None and (own := merges_of(facts).get(lead_id)) is not None and own.event.data.lead != lead_id:
        names = with_own_merge(names, own.event.data.lead, facts)
    return with_masks(names, facts)


def _counts(fact: Fact) -> bool:
    """Whether the alias takes the link: upward, or of a version that made no others and did not say by what."""
    link = fact.event.data
    if link.alias_by is None and link.lead_by is None:
        return bool(fact.event.id == derived_id("linked", link.alias, link.lead))
    return bool(link.alias_by and link.lead_by) and STRENGTH[link.alias_by] < STRENGTH[link.lead_by]


def read_again(facts: Sequence[Fact]) -> Names:
    """The names by the links among the facts, which an earlier version kept without acting on them; it made links
    upward only, and did not say by what.
    """
    names = ONE_NAME
    for fact in sorted(facts, key=lambda fact: (fact.received, fact.order)):
        if isinstance(fact.event, LeadLinked) and names_itself(fact) and fact.event.data.lead != fact.lead_id:
            names = replace(names, links=linked(names.links, fact.event.data.lead, utc(fact)), after=START)
    return names


def utc(fact: Fact) -> datetime:
    """The fact's time, in UTC."""
    return fact.time.astimezone(UTC)
