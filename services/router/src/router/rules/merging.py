"""Two known leads are one: one promise, one owner.

The alias ends its open episode and always answers the survivor, with that episode or none. Until the answer is there
the survivor opens no episode; then it takes over what was open, unless it has an open one of its own. Of a lead's
merges and unmerges the latest by their time holds, in whatever order they come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from router.rules.answer import answer, open_episode
from router.rules.handoff import Context, complete
from router.rules.lead import MERGES_KEPT, Alias, Entry, Episode, Lead, Merging, Step
from router.rules.stage import LIFECYCLE, SOURCE, entry_event, restage, step_of, steps_of_next, take, tell_change
from schemas.envelope import Envelope, Fact
from schemas.erasure import passed_on
from schemas.handoffs import (
    Done,
    LeadHandedOff,
    MergedOnHandoffs,
    StageChange,
    UnmergedOnHandoffs,
    handoff_id_of,
)
from schemas.identity import derived_id
from schemas.links import Links
from schemas.merging import Absorbed, LeadAbsorbed

MERGED, UNMERGED = "lead.merged", "lead.unmerged"
"""Steps that end an episode: of the alias, and of a survivor that took it over."""
Told = tuple[Lead, tuple[Envelope, ...]]


def names_itself(fact: Fact) -> bool:
    """Whether the merge or unmerge is the lead's own: it is the alias."""
    return bool(fact.event.data.alias == fact.lead_id)


def merge_alias(lead: Lead, fact: Fact, facts: Sequence[Fact]) -> Told:
    """The lead as an alias of the survivor; `facts` are all that is kept of it."""
    time = _utc(fact)
    if (lead.judged is not None and time <= lead.judged) or (lead.alias is not None and not lead.alias.merged):
        return lead, (answer(fact, awaited=lead.awaited),)
    was, events = lead.episode, tuple[Envelope, ...]()
    given = None if was is None or was.end is not None else open_episode(was, facts)
    if was is not None and given is not None:
        at = max(time, was.chain[-1].at)  # what was done up to now was allowed
        lead, events = restage(_with(lead, Step(at, fact.event.source, fact.event.id, MERGED, lead.number)))
    survivor = fact.event.data.lead
    alias = Alias(Links(survivor, ((time, survivor),)), merged=True)
    lead = replace(lead, score=None, heard=None, alias=alias, judged=time)
    return lead, (*events, passed_on(fact, MergedOnHandoffs, SOURCE), answer(fact, given, lead.awaited))


def unmerge_alias(lead: Lead, fact: Fact, facts: Sequence[Fact]) -> Told:
    """The lead as one of its own again, its episode open where it had been; it takes what was forwarded meanwhile."""
    time = _utc(fact)
    if lead.judged is not None and time <= lead.judged:
        return lead, ()
    merged = lead.alias is not None and lead.alias.merged
    lead = replace(lead, judged=time, alias=None if merged else lead.alias)
    passed = passed_on(fact, UnmergedOnHandoffs, SOURCE)
    if not merged:
        return lead, (passed,)
    was = lead.stage
    lead, events = restage(replace(lead, steps=tuple(step for step in lead.steps if step.activity != MERGED)))
    if lead.episode is not None and was == "merged" != lead.stage:
        change = StageChange(episode=lead.number, before=was, after=lead.stage, at=time, cause=fact.event.id)
        event_id = derived_id("stage", lead.episode.qualification.handoff_id, UNMERGED, fact.event.id)
        events = (*events, tell_change(lead.lead_id, event_id, change))
    known = {(step.source, step.id) for step in lead.steps}
    for step in filter(None, map(step_of, sorted(facts, key=lambda each: each.order))):
        if (step.source, step.id) not in known and lead.episode and step.time >= lead.episode.handed_off_at:
            lead, more = take(lead, step)
            events = (*events, *more)
    return lead, (*events, passed)


def merge_survivor(lead: Lead, fact: Fact) -> Told:
    """The survivor: it waits for the alias' answer, unless it is there.

    A merge into a lead that was merged itself is answered to that one, which says in its own answer what it awaits.
    """
    one = Merging(fact.event.data.alias, _utc(fact), merged=True)
    known = lead.merging(one.alias)
    if known is not None and known.at >= one.at:
        told_by_answer = known.at == one.at and known.merged
        return lead, (passed_on(fact, MergedOnHandoffs, SOURCE),) if told_by_answer else ()
    elsewhere = fact.event.data.lead != lead.lead_id
    one = replace(one, answered=elsewhere or (one.alias, one.at) in lead.answers)
    return lead.with_merging(one), (passed_on(fact, MergedOnHandoffs, SOURCE),)


def unmerge_survivor(lead: Lead, fact: Fact) -> Told:
    """The survivor without the alias: an episode that it has taken over from it ends.

    A score that it waited with may have the alias' points, so only the next one counts.
    """
    alias, time = fact.event.data.alias, _utc(fact)
    known, passed = lead.merging(alias), passed_on(fact, UnmergedOnHandoffs, SOURCE)
    if known is not None and known.at >= time:
        return lead, ()
    lead = _free(lead.with_merging(Merging(alias, time, merged=False, answered=True)), alias)
    lead = replace(lead, score=None, heard=None)  # it was that of both; the scorer tells its own next
    given = lead.inherits
    later = given is not None and given.alias == alias and given.merged_at > time
    if alias in _sources(given) and not later:
        lead = replace(lead, inherits=None)
    episode, events = lead.episode, tuple[Envelope, ...]()
    if episode is not None and alias in (episode.inherited, *episode.through) and episode.end is None:
        at = max(time, episode.handed_off_at)
        step = Step(at, fact.event.source, fact.event.id, UNMERGED, episode.number)
        lead, events = restage(_with(lead, step))
    return lead, (*events, passed)


def heard(lead: Lead, fact: Fact) -> Lead:
    """The survivor with the alias' answer, if the fact is one; what was open is taken over by `inherit`.

    One that was merged itself remembers it for the time after an unmerge.
    """
    event = fact.event
    if not isinstance(event, LeadAbsorbed):
        return lead
    said, at = event.data, event.data.merged_at.astimezone(UTC)
    lead = replace(lead, answers=(*lead.answers, (said.alias, at))[-MERGES_KEPT:])
    known = lead.merging(said.alias)
    if known is not None and known.at > at and not known.merged:  # a repeat of the merge undoes nothing
        return lead
    if known is not None and known.at == at:
        lead = lead.with_merging(replace(known, answered=True))
    for each in said.awaits or ():
        one = Merging(each.alias, each.merged_at.astimezone(UTC), merged=True, told_by=said.alias)
        lead = _await(lead, one)
    if said.episode is None:
        return lead
    if event.via is not None:
        episode = said.episode.model_copy(update={"through": (*said.episode.through, event.via)})
        said = said.model_copy(update={"episode": episode})
    return replace(lead, inherits=said)


def _await(lead: Lead, one: Merging) -> Lead:
    """The survivor, which waits for one more answer, unless that has come or the merge is undone."""
    known = lead.merging(one.alias)
    later = known is not None and (known.at > one.at or (known.at == one.at and not known.merged))
    return lead if later or (one.alias, one.at) in lead.answers else lead.with_merging(one)


def _free(lead: Lead, alias: str) -> Lead:
    """The survivor, which waits no longer for answers that the unmerged alias was to forward."""
    gone = {alias}
    for _ in lead.merges:  # once for each step of a chain, at the most
        gone |= {each.alias for each in lead.merges if each.told_by in gone}
    left = (replace(each, answered=True) if each.told_by in gone else each for each in lead.merges)
    return replace(lead, merges=tuple(left))


def _goes_on(lead: Lead, given: Absorbed) -> bool:
    """Whether the open episode came from that alias before: it was unmerged in between, which is still to come."""
    episode = lead.episode
    return episode is not None and episode.end is None and given.alias in (episode.inherited, *episode.through)


def _sources(given: Absorbed | None) -> tuple[str, ...]:
    """The merged leads that the episode comes from."""
    return (given.alias, *given.episode.through) if given is not None and given.episode is not None else ()


def inherit(lead: Lead, context: Context) -> Told | None:
    """The survivor with the absorbed episode as its next one, same owner; None where it takes over none now.

    One with an open episode of its own keeps that, and one that nobody may approach gets none.
    """
    given, score = lead.inherits, lead.score
    if given is None or given.episode is None:
        return None
    if lead.suppressed is None and _goes_on(lead, given):
        return None  # once the unmerge in between has come
    if lead.suppressed is not None or (lead.episode is not None and lead.episode.end is None):
        return replace(lead, inherits=None), ()
    if score is None:
        return None  # it comes: the survivor is scored anew by the merge
    was, number = given.episode, lead.number + 1
    handoff_id = handoff_id_of(lead.lead_id, number)
    qualification = was.qualification.model_copy(update={"episode": number, "handoff_id": handoff_id})
    handed_off_at, event_id = was.handed_off_at.astimezone(UTC), derived_id("handed_off", handoff_id)
    first = Entry("mql", min(was.qualification.qualified_at.astimezone(UTC), handed_off_at), "merged")
    episode = Episode(
        qualification=qualification,
        owner=was.owner,
        targets=dict(was.targets),
        chain=(first, Entry("handed_off", handed_off_at, event_id)),
        before=lead.stage,
        after=None,
        inherited=given.alias,
        inherited_number=was.qualification.episode,
        through=was.through,
    )
    handoff = complete(qualification, score, was.owner, (handed_off_at, was.targets))
    source = {"alias": given.alias, "alias_episode": was.qualification.episode, "through": was.through}
    handoff = handoff.model_copy(update={"cause": "merged", "done": was.done, **source})
    told = LeadHandedOff(
        id=event_id, source=SOURCE, subject=lead.lead_id, time=handed_off_at, finaltime=True, data=handoff
    )
    done = [_step(done) for done in was.done if done.activity in LIFECYCLE]
    steps = {(step.source, step.id): step for step in (*done, *steps_of_next(lead, context.now))}  # both may have it
    past = lead.past_with_latest()
    at, known = given.merged_at.astimezone(UTC), lead.merging(given.alias)
    if known is None or known.at < at:  # the merge, and unmerges before it, go by way of the scorer and may come later
        lead = lead.with_merging(Merging(given.alias, at, merged=True, answered=True))
    opened = replace(lead, episode=episode, inherits=None, dropped=0, past=past, steps=_in_order(steps.values()))
    opened, further = restage(opened)
    entries = [entry_event(lead.lead_id, episode, index) for index in range(2)]
    return opened, (entries[0], told, entries[1], *further)


def _step(done: Done) -> Step:
    """The step, of which a refusal has been published for the merged lead, if it was refused."""
    return Step(done.time.astimezone(UTC), done.source, done.id, done.activity, None, done.reason, refused=True)


def _with(lead: Lead, step: Step) -> Lead:
    return replace(lead, steps=_in_order((*lead.steps, step)))


def _in_order(steps: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(sorted(steps, key=lambda step: step.order))


def _utc(fact: Fact) -> datetime:
    return fact.time.astimezone(UTC)
