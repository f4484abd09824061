"""An alias: sales activities that name it are published again for its lead.

What comes after the link is forwarded when it comes; what came before it is moved in slices. So each activity gets to
one lead, whatever links come while the move goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from router.rules.lead import Alias, Lead
from router.rules.stage import SOURCE
from schemas.engagements import LeadLinked
from schemas.envelope import Envelope, Fact
from schemas.erasure import passed_on
from schemas.handoffs import ErasedOnHandoffs, LinkedOnHandoffs
from schemas.links import linked
from schemas.merging import LeadAbsorbed
from schemas.sales import SalesActivity

START = ("", "")
"""Before all facts: where a move begins."""


def link(lead: Lead, fact: Fact, event: LeadLinked) -> tuple[Lead, tuple[Envelope, ...]]:
    """The lead as an alias of another one, and the link for the services downstream.

    A copy of the link, which tells the other lead of its alias, changes nothing.
    """
    data, alias = event.data, lead.alias
    if fact.lead_id != data.alias or data.alias == data.lead:
        return lead, ()
    passed = (passed_on(fact, LinkedOnHandoffs, SOURCE),)
    if alias is None:
        links = linked(None, data.lead, fact.time)
        return replace(lead, score=None, heard=None, steps=(), dropped=0, alias=Alias(links, START)), passed
    links = linked(alias.links, data.lead, fact.time)
    return (lead if links is alias.links else replace(lead, alias=replace(alias, links=links))), passed


def told_again(fact: Fact) -> bool:
    """Whether the fact is published again for an alias' lead."""
    return isinstance(fact.event, SalesActivity | LeadAbsorbed)


def passing(lead: Lead, fact: Fact) -> bool:
    """Whether a new fact of the alias is still ahead of the move, which will take it along."""
    return lead.alias is not None and lead.alias.moved is not None and fact.key > lead.alias.moved


def gone(lead: Lead, fact: Fact) -> bool:
    """Whether a fact of the alias belongs to an erased lead."""
    return lead.alias is not None and lead.alias.links.lead_at(fact.time) in lead.alias.gone


def erase_in_part(lead: Lead, fact: Fact) -> tuple[Lead, tuple[Envelope, ...]]:
    """The alias, one of whose leads is erased; what belongs to the others stays."""
    passed, alias = (passed_on(fact, ErasedOnHandoffs, SOURCE),), lead.alias
    if alias is None or fact.event.data.lead not in alias.links.leads:
        return lead, passed
    return replace(lead, alias=replace(alias, gone=tuple(sorted({*alias.gone, fact.event.data.lead})))), passed


def move(lead: Lead, facts: Sequence[Fact], *, last: bool) -> tuple[Lead, list[tuple[Fact, str]]]:
    """The alias with its cursor after one slice of its facts, and for which leads they are published."""
    alias = lead.alias
    if alias is None or alias.moved is None:
        return lead, []
    copies = [(fact, alias.links.lead_at(fact.time)) for fact in facts if told_again(fact)]
    return replace(lead, alias=replace(alias, moved=None if last else facts[-1].key)), copies
