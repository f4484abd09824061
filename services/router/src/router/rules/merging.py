"""Two known leads are one: one promise, one owner.

The alias ends its open episode and always answers the survivor, with that episode or none. Until the answer is there
the survivor opens no episode; then it takes over what was open, unless it has an open one of its own. Of a lead's
merges and unmerges the latest by their time holds, in whatever order they come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from router.rules.handoff import Context, complete
from router.rules.lead import Alias, Entry, Episode, Lead, Merging, Step
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
from schemas.merging import Absorbed, AbsorbedEpisode, LeadAbsorbed
from schemas.sales import SalesActivity, SalesContacted, name_of

MERGED, UNMERGED = "lead.merged", "lead.unmerged"
"""Steps that end an episode: of the alias, and of a survivor that took it over."""
MOST_DONE = 100
"""Most sales activities of an episode that go with it: the latest."""
Told = tuple[Lead, tuple[Envelope, ...]]


def answer(fact: Fact, episode: AbsorbedEpisode | None = None) -> LeadAbsorbed:
    """What the alias of this merge tells the survivor."""
    merge = fact.event.data
    return LeadAbsorbed(
        id=derived_id("absorbed", merge.alias, merge.lead, _utc(fact).isoformat()),
        source=SOURCE,
        subject=merge.lead,
        time=fact.time,
        finaltime=True,
        data=Absorbed(alias=merge.alias, merged_at=fact.time, episode=episode),
    )


def names_itself(fact: Fact) -> bool:
    """Whether the merge or unmerge is the lead's own: it is the alias."""
    return bool(fact.event.data.alias == fact.lead_id)


def merge_alias(lead: Lead, fact: Fact, facts: Sequence[Fact]) -> Told:
    """The lead as an alias of the survivor; `facts` are all that is kept of it."""
    time = _utc(fact)
    if (lead.judged is not None and time <= lead.judged) or (lead.alias is not None and not lead.alias.merged):
        return lead, (answer(fact),)
    was, events = lead.episode, tuple[Envelope, ...]()
    given = None if was is None or was.end is not None else _given(was, facts)
    if given is not None:
        lead, events = restage(_with(lead, Step(time, fact.event.source, fact.event.id, MERGED, lead.number)))
    survivor = fact.event.data.lead
    alias = Alias(Links(survivor, ((time, survivor),)), merged=True)
    lead = replace(lead, score=None, heard=None, alias=alias, judged=time)
    return lead, (*events, passed_on(fact, MergedOnHandoffs, SOURCE), answer(fact, given))


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
    """The survivor: it waits for the alias' answer, unless it is there."""
    one = Merging(fact.event.data.alias, _utc(fact), merged=True)
    known = lead.merging(one.alias)
    if known is not None and known.at >= one.at:
        return lead, ()
    one = replace(one, answered=any(each == (one.alias, one.at) for each in lead.answers))
    return lead.with_merging(one), (passed_on(fact, MergedOnHandoffs, SOURCE),)


def unmerge_survivor(lead: Lead, fact: Fact) -> Told:
    """The survivor without the alias: an episode that it has taken over from it ends."""
    alias, time = fact.event.data.alias, _utc(fact)
    known, passed = lead.merging(alias), passed_on(fact, UnmergedOnHandoffs, SOURCE)
    if known is not None and known.at >= time:
        return lead, ()
    lead = lead.with_merging(Merging(alias, time, merged=False, answered=True))
    if lead.inherits is not None and lead.inherits.alias == alias:
        lead = replace(lead, inherits=None)
    episode, events = lead.episode, tuple[Envelope, ...]()
    if episode is not None and episode.inherited == alias and episode.end is None:
        at = max(time, episode.handed_off_at)
        step = Step(at, fact.event.source, fact.event.id, UNMERGED, episode.number)
        lead, events = restage(_with(lead, step))
    return lead, (*events, passed)


def hear(lead: Lead, fact: Fact) -> Lead:
    """The survivor with the alias' answer; what was open is taken over by `inherit`."""
    event = fact.event
    assert isinstance(event, LeadAbsorbed)  # noqa: S101 - the caller has matched it
    said, at = event.data, event.data.merged_at.astimezone(UTC)
    lead = replace(lead, answers=(*lead.answers, (said.alias, at))[-MOST_DONE:])
    known = lead.merging(said.alias)
    if known is not None and known.at == at:
        lead = lead.with_merging(replace(known, answered=True))
    later = known is not None and known.at > at
    return lead if later or said.episode is None else replace(lead, inherits=said)


def inherit(lead: Lead, context: Context) -> Told | None:
    """The survivor with the absorbed episode as its next one, same owner; None where it takes over none now.

    One with an open episode of its own keeps that, and one that nobody may approach gets none.
    """
    given, score = lead.inherits, lead.score
    if given is None or given.episode is None:
        return None
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
    )
    handoff = complete(qualification, score, was.owner, (handed_off_at, was.targets))
    handoff = handoff.model_copy(update={"cause": "merged", "alias": given.alias, "done": was.done})
    told = LeadHandedOff(
        id=event_id, source=SOURCE, subject=lead.lead_id, time=handed_off_at, finaltime=True, data=handoff
    )
    steps = [_step(done) for done in was.done if done.activity in LIFECYCLE]
    steps = sorted((*steps, *steps_of_next(lead, context.now)), key=lambda step: step.order)
    past = lead.past_with_latest()
    opened = replace(lead, episode=episode, inherits=None, dropped=0, past=past, steps=tuple(steps))
    opened, further = restage(opened)
    entries = [entry_event(lead.lead_id, episode, index) for index in range(2)]
    return opened, (entries[0], told, entries[1], *further)


def _step(done: Done) -> Step:
    return Step(done.time.astimezone(UTC), done.source, done.id, done.activity, None, done.reason)


def _given(episode: Episode, facts: Sequence[Fact]) -> AbsorbedEpisode:
    """The open episode with what sales has done in it."""
    since = episode.qualification.qualified_at
    done = [
        Done(
            time=fact.time,
            source=fact.event.source,
            id=fact.event.id,
            activity=name_of(type(fact.event)),
            reason=getattr(fact.event.data, "reason", None),
        )
        for fact in sorted(facts, key=lambda fact: fact.order)
        if isinstance(fact.event, SalesActivity)
        and fact.time >= since
        and fact.event.data.episode in (None, episode.number)
        and (not isinstance(fact.event, SalesContacted) or (fact.event.data.human and fact.event.data.outbound))
    ]
    return AbsorbedEpisode(
        qualification=episode.qualification,
        owner=episode.owner,
        handed_off_at=episode.handed_off_at,
        targets=episode.targets,
        done=tuple(done[-MOST_DONE:]),
    )


def _with(lead: Lead, step: Step) -> Lead:
    return replace(lead, steps=tuple(sorted((*lead.steps, step), key=lambda each: each.order)))


def _utc(fact: Fact) -> datetime:
    return fact.time.astimezone(UTC)
