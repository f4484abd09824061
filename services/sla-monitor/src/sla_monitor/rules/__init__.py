"""Decisions of sla-monitor: which clocks an event starts, which it ends, and what time alone does to them.

A verdict is a function of the set of a lead's facts: whatever the order of arrival, the same clocks end met, cancelled
or breached. Only time breaks a promise, so only `expire` publishes breaches: every fact that was read is decided by
then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from schemas.envelope import Envelope, Fact
from schemas.handoffs import Handoff, LeadHandedOff, LeadQualified, Qualification
from schemas.policy import Agreements, Policy
from schemas.sales import SalesActivity
from sla_monitor.rules.clock import Clock, Inherited, WatchedLead, clocks_of
from sla_monitor.rules.milestones import Milestone, activity_of, done_of, merge_of, start_of, suppression_of
from sla_monitor.rules.teller import Teller

EPISODES_KEPT = 10
"""Latest episodes whose ended clocks are kept; a stop for an older one cannot take a breach back any more."""
ACTIVITIES_KEPT = 200
"""Latest sales activities kept for handoffs that have not arrived yet."""
RECHECK = (timedelta(milliseconds=100), timedelta(seconds=1))
"""When a clock past its due is looked at again while its inputs are not proven read: at first, and later on."""


class NotYet(Exception):  # noqa: N818 - a state of affairs
    """A handoff names terms that this instance does not have; it must not be judged by others."""


@dataclass(frozen=True, slots=True)
class TickTime:
    """The time of a tick: `known` is the instant up to which all inputs are proven read."""

    now: datetime
    known: datetime
    patience: timedelta


@dataclass(frozen=True, slots=True)
class Result:
    """The lead from now on, what to publish and to count, and when time may next change something."""

    lead: WatchedLead
    due: datetime | None
    events: tuple[Envelope, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    inputs_until: datetime | None = None
    """The latest due that has passed and cannot be judged before the inputs are proven read up to it."""


def start(
    lead: WatchedLead, event: LeadQualified | LeadHandedOff, received: datetime, agreements: Agreements, now: datetime
) -> Result:
    """Starts the episode's clocks, judged at once by what is known; a second start is ignored.

    `received`: when the event was published. Raises NotYet: see `terms_of`.
    """
    milestone = start_of(event)
    if isinstance(event, LeadHandedOff) and event.data.cause == "merged":
        # the handoff was the other lead's: only from its publication on are stops this episode's, no earlier one's
        milestone = replace(milestone, time=max(milestone.time, received.astimezone(UTC)))
    episodes = sorted({m.episode for m in (*lead.starts, milestone) if m.episode})[-EPISODES_KEPT:]
    again = any((m.means, m.episode) == (milestone.means, milestone.episode) for m in lead.starts)
    if again or milestone.episode not in episodes:
        return unchanged(lead)
    teller = Teller(lead.lead_id)
    started = [
        teller.started(clock) for clock in clocks_of(event, milestone, received, terms_of(event.data, agreements))
    ]
    lead = replace(
        lead,
        name=_name(lead, event),
        starts=_ordered((*(m for m in lead.starts if m.episode in episodes), milestone)),
        clocks=(*(c for c in lead.clocks if c.open or c.episode in episodes), *started),
    )
    if isinstance(event, LeadHandedOff):
        activities = _ordered((*lead.activities, *done_of(event)))[-ACTIVITIES_KEPT:]
        inherited = tuple(each for each in lead.inherited if each.episode in episodes)
        lead = replace(lead, inherited=(*inherited, *_inherited(event.data)), activities=activities)
    return _settled(lead, teller, now)


def terms_of(qualification: Qualification, agreements: Agreements) -> Policy:
    """The terms published to the owner: those of the version that the handoff names.

    A handoff of another policy, which ours has replaced, is judged by ours. Raises NotYet where ours lacks the version.
    """
    ref, versions = qualification.policy, agreements.versions
    if not versions or ref.name != versions[0].policy:
        first = versions[0].effective_from if versions else qualification.known_at
        return agreements.at(max(qualification.known_at, first))  # the handoff may be older than all versions of ours
    if ref.version > len(versions):
        raise NotYet(f"version {ref.version} of {ref.name} has handed off, the newest here is {len(versions)}")
    policy = versions[ref.version - 1]
    if qualification.policy_digest not in (None, policy.digest):
        raise NotYet(f"version {ref.version} of {ref.name} has handed off with other terms than are known here")
    return policy


def stop(lead: WatchedLead, event: SalesActivity, time: datetime, now: datetime) -> Result:
    """Ends the clocks that the activity, at its effective `time`, ends in time; breached ones too."""
    milestone = activity_of(event, time)
    if milestone is None:
        return unchanged(lead)
    return _settled_by(lead, milestone, now)


def stop_erased(lead: WatchedLead, event: Envelope, time: datetime, now: datetime) -> Result:
    """As `stop` for an erased lead: nothing of the activity is kept but the verdict of clocks that it ends."""
    if not isinstance(event, SalesActivity):
        return unchanged(lead)
    result = stop(lead, event, time, now)
    return replace(result, lead=replace(result.lead, activities=lead.activities))


def suppress(lead: WatchedLead, fact: Fact, now: datetime) -> Result:
    """Cancels the clocks that were not due when the lead was suppressed; all open ones if it was erased.

    After a suppression facts are kept as before, so a clock past its due is still judged by all of them.
    """
    return _settled_by(lead, suppression_of(fact), now)


def merge(lead: WatchedLead, fact: Fact, now: datetime) -> Result:
    """Cancels the open clocks of a lead that is another one; the survivor's stay as they are."""
    own = fact.event.data.alias == lead.lead_id
    return _settled_by(lead, merge_of(fact), now) if own else unchanged(lead)


def unmerge(lead: WatchedLead, fact: Fact, now: datetime) -> Result:
    """Runs the clocks of a lead that is its own again; cancels those that the survivor has taken over from it."""
    alias = fact.event.data.alias
    if alias == lead.lead_id:
        teller, left = Teller(lead.lead_id), tuple(each for each in lead.activities if not _went(each))
        clocks = tuple(_again(clock, fact, teller) for clock in lead.clocks)
        return _settled(replace(lead, activities=left, clocks=clocks), teller, now)
    taken = [each.episode for each in lead.inherited if each.alias == alias]
    return _settled_by(lead, merge_of(fact, taken[-1]), now) if taken else unchanged(lead)


def _inherited(handoff: Handoff) -> tuple[Inherited, ...]:
    """Where the episode was taken over from, if it was: the merged lead, and those that it came through."""
    if handoff.alias is None:
        return ()
    first = Inherited(handoff.alias, handoff.episode, handoff.alias_episode)
    return (first, *(Inherited(each, handoff.episode, None) for each in handoff.through))


def _went(milestone: Milestone) -> bool:
    """Whether it is the merge by which all promises of the lead went to another one."""
    return "merged" in milestone.means and milestone.episode is None


def _again(clock: Clock, fact: Fact, teller: Teller) -> Clock:
    """The clock, started again if a merge had cancelled it, so much later as that was in force: meanwhile the owner
    was told to follow up the survivor.
    """
    if clock.end is None or not _went(clock.end):
        return clock
    merged = max(fact.time - clock.end.time, timedelta(0))
    started_at, due = clock.started_at + merged, clock.due + merged
    return teller.started(replace(clock, standing="running", end=None, started_at=started_at, due=due))


def erase(lead: WatchedLead, fact: Fact, now: datetime) -> Result:
    """As `suppress`; the verdicts stay, without anything that identifies the person.

    A breach published before can still be taken back: see `stop_erased`.
    """
    result = suppress(lead, fact, now)
    return replace(result, lead=replace(result.lead, name=None))


def expire(lead: WatchedLead, tick: TickTime) -> Result:
    """What time alone changes: warnings; breaches once the inputs are proven read up to the due, unknown until then."""
    teller = Teller(lead.lead_id)
    lead = replace(lead, clocks=tuple(_passed(c, tick, teller) if c.open else c for c in lead.clocks))
    waiting = [c.due for c in lead.clocks if c.open and c.due < tick.now]
    looks = [c.next_look for c in lead.clocks if c.open and c.due >= tick.now]
    if waiting:
        soonest, latest = RECHECK
        looks.append(tick.now + min(latest, max(soonest, tick.now - max(waiting))))
    due, until = min(looks, default=None), max(waiting, default=None)
    return Result(lead, due, tuple(teller.events), teller.counts, until)


def unchanged(lead: WatchedLead) -> Result:
    """No change; the lead is looked at when it would have been anyway."""
    return Result(lead, min((c.next_look for c in lead.clocks if c.open), default=None))


def _passed(clock: Clock, tick: TickTime, teller: Teller) -> Clock:
    if tick.now <= clock.due:
        gone = [fraction for fraction in clock.warnings if clock.warns_at(fraction) <= tick.now]
        for fraction in gone:
            clock = teller.warned(clock, fraction)
        return replace(clock, warnings=clock.warnings[len(gone) :]) if gone else clock
    if tick.known >= clock.due:
        return teller.breached(clock, tick.now)
    if clock.standing == "running" and tick.now > clock.due + tick.patience:
        return teller.unknown(clock, clock.due + tick.patience)
    return clock


def _settled_by(lead: WatchedLead, milestone: Milestone, now: datetime) -> Result:
    """With one more activity. The latest are kept, and the first suppression."""
    result = _settled(replace(lead, activities=_ordered((*lead.activities, milestone))), Teller(lead.lead_id), now)
    known = result.lead.activities
    first = next((each for each in known if "suppressed" in each.means), None)
    latest = [each for each in known if "suppressed" not in each.means][-ACTIVITIES_KEPT:]
    kept = _ordered((*latest, *([first] if first else [])))
    return replace(result, lead=replace(result.lead, activities=kept))


def _settled(lead: WatchedLead, teller: Teller, now: datetime) -> Result:
    clocks = sorted(
        (_settle(clock, lead.end_of(clock), teller, now) for clock in lead.clocks),
        key=lambda clock: (clock.started_at, clock.episode, clock.clock),
    )
    result = unchanged(replace(lead, clocks=tuple(clocks)))
    return replace(result, events=tuple(teller.events), counts=teller.counts)


def _settle(clock: Clock, end: Milestone | None, teller: Teller, now: datetime) -> Clock:
    if end is None:
        # A later handoff has arrived, and the activity that ended this clock belongs to the later episode.
        return replace(clock, standing="running", end=None) if clock.end else clock
    verdict = "met" if clock.met_by(end) else "cancelled"
    was = clock.standing
    clock = replace(clock, end=end)
    if verdict == was:
        return clock
    if was == "breached":
        clock = teller.retracted(clock, end, now)
    return teller.met(clock, end) if verdict == "met" else teller.cancelled(clock, end)


def _name(lead: WatchedLead, event: LeadQualified | LeadHandedOff) -> str | None:
    """The lead's name for people, from its latest handoff."""
    if not isinstance(event, LeadHandedOff):
        return lead.name
    latest = all(m.episode <= event.data.episode for m in lead.starts if m.episode and "handed_off" in m.means)
    name = event.data.contact.name or event.data.contact.email
    return name[:80] if name and latest else lead.name


def _ordered(milestones: Iterable[Milestone]) -> tuple[Milestone, ...]:
    return tuple(sorted(milestones, key=lambda milestone: milestone.order))
