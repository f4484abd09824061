"""The promises of one lead: which episode is open, and what must become of each clock, across merges and unmerges.

A lead's events on `lead-handoffs` count in the order of its partition, which is the order that sla-monitor reads.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from tests.chaos.agreement import Agreement
from tests.chaos.aliases import MERGED, UNMERGED
from tests.chaos.raw import Json, derived

DISORDER = timedelta(minutes=5)
"""How long before the qualification a follow-up may lie that is still meant for it."""
HANDED_OFF = "lead.handed_off"
MEANINGS = {
    "sales.contacted": {"contacted"},
    "sales.qualified": {"decided", "feedback"},
    "opportunity.created": {"decided", "feedback"},
}
End = tuple[datetime, datetime]
"""When something ended a clock, and when the broker had it."""
Break = tuple[End, datetime | None]
"""What cancelled a clock, and when that was undone."""


class Turn(NamedTuple):
    """One event of a lead on `lead-handoffs`, and when the broker had it first."""

    id: str
    kind: str
    time: datetime
    data: Json
    published: datetime

    @property
    def taken_from(self) -> str | None:
        """The merged lead whose episode this handoff goes on with."""
        return self.data.get("alias") if self.data.get("cause") == "merged" else None

    @property
    def qualified_at(self) -> datetime:
        return datetime.fromisoformat(self.data["qualified_at"])

    @property
    def since(self) -> datetime:
        """When the lead was owed something: a handoff taken over is one from its publication on."""
        decided = datetime.fromisoformat(self.data["handed_off_at"])
        return max(decided, self.published) if self.taken_from else decided


class Stop(NamedTuple):
    """A sales activity, `via` the merged lead that it named."""

    time: datetime
    heard: datetime
    means: set[str]
    via: str | None


@dataclass(frozen=True)
class Clock:
    """A promise as it must stand: `met_at` by the follow-up's own time, or `cancelled`.

    `dues`: the policy's, and a later one for each merge that was undone; at each due of `excused` nothing was owed, and
    the broker has had the reason since then.
    """

    clock_id: str
    lead: str
    name: str
    dues: tuple[datetime, ...]
    met_at: datetime | None = None
    cancelled: bool = False
    excused: frozenset[End] = frozenset()

    @property
    def due(self) -> datetime:
        return self.dues[-1]


@dataclass
class Course:
    """How the episodes of a lead followed each other: `open` is the handoff whose episode is open in the end.

    `gave`: by the time of each merge the handoff that the lead gave away, if it had one.
    """

    open: Turn | None = None
    gave: dict[datetime, Turn | None] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)
    """Qualifications and handoffs of a merged lead."""
    twice: list[str] = field(default_factory=list)
    """Handoffs while an episode was open."""
    own: list[tuple[Turn, dict[str, datetime]]] = field(default_factory=list)
    """Handoffs of its own, and since when which leads were merged into it."""
    after_unmerge: bool = False
    """Whether one of them was while no lead was merged into it any more."""


def course_of(lead_id: str, turns: Sequence[Turn]) -> Course:
    """The course by the lead's events in their order; what it gives away at a merge comes back with the unmerge."""
    course, merged, given, into, unmerged = Course(), False, None, dict[str, datetime](), False
    for turn in turns:
        alias = turn.data.get("alias", "")
        if turn.kind not in (MERGED, UNMERGED):
            course.late += [turn.id] if merged else []
            if turn.kind == HANDED_OFF:
                course.twice += [turn.id] if course.open else []
                course.own += [] if turn.taken_from else [(turn, dict(into))]
                course.after_unmerge |= unmerged and not into and not turn.taken_from
                course.open = turn
        elif alias != lead_id and turn.kind == MERGED:
            into.setdefault(alias, turn.time)
        elif alias != lead_id:
            into.pop(alias, None)
            unmerged = True
            course.open = None if course.open and course.open.taken_from == alias else course.open
        elif merged == (turn.kind == UNMERGED):
            course.gave |= {} if merged else {turn.time: course.open}
            course.open, given, merged = given, course.open, not merged
    return course


def clocks_of(lead_id: str, turns: Sequence[Turn], stops: Sequence[Stop], policy: Agreement) -> Iterator[Clock]:
    """Every promise that the lead's handoffs started."""
    for index, turn in enumerate(turns):
        for rule in policy.clocks:
            if f"lead.{rule['start']}" == turn.kind and rule.get("intent") in (None, turn.data["intent"]["level"]):
                clock_id = derived("clock", lead_id, turn.data["episode"], rule["id"])
                due = _start(turn) + policy.duration(rule["target"])
                breaks = _breaks(lead_id, turn, turns[index + 1 :])
                yield _judged(
                    Clock(clock_id, lead_id, rule["id"], (due,)), breaks, _ends(turn, rule["stop"], turns, stops)
                )


def _judged(clock: Clock, breaks: Iterable[Break], ends: Iterable[End]) -> Clock:
    """Cancels the clock at a merge; an unmerge runs it again, its due as much later as the merge was in force."""
    dues, excused, cancelled = [clock.due], set[End](), False
    until = clock.due
    for (since, heard), undone in breaks:
        if since <= dues[-1]:
            excused.add((dues[-1], heard))
            cancelled = undone is None
            dues += [dues[-1] + max(undone - since, timedelta(0))] if undone else []
            until = dues[-1] if undone else since
    if met := min((end for end in ends if end[0] <= until), default=None):
        excused |= {(due, met[1]) for due in dues if met[0] <= due}
    return replace(
        clock,
        dues=tuple(dues),
        met_at=met[0] if met else None,
        cancelled=cancelled and not met,
        excused=frozenset(excused),
    )


def _start(turn: Turn) -> datetime:
    """When its clocks start: no handoff is owed before anybody could see it."""
    if turn.kind == HANDED_OFF:
        return max(turn.since, turn.published)
    return max(datetime.fromisoformat(turn.data[name]) for name in ("known_at", "qualified_at"))


def _ends(turn: Turn, stop: str, turns: Sequence[Turn], stops: Sequence[Stop]) -> list[End]:
    """What keeps a promise that this event started, up to the next handoff."""
    handoffs = [each for each in turns if each.kind == HANDED_OFF]
    if stop == "handed_off":
        return [(each.since, each.since) for each in handoffs if each.data["episode"] == turn.data["episode"]]
    first = min(datetime.fromisoformat(turn.data[name]) for name in ("known_at", "qualified_at"))
    until = min((each.since for each in handoffs if each.data["episode"] > turn.data["episode"]), default=None)
    done = [each for each in turn.data.get("done", ()) if stop in MEANINGS.get(each["activity"], ())]
    return [(datetime.fromisoformat(each["time"]), turn.published) for each in done] + [
        (each.time, each.heard)
        for each in stops
        if stop in each.means
        and (first if turn.taken_from in (None, each.via) else _start(turn)) - DISORDER <= each.time
        and (until is None or each.time < until)
    ]


def _breaks(lead_id: str, turn: Turn, later: Sequence[Turn]) -> Iterator[Break]:
    """What stopped the clocks of this event: the lead's own merges, or the unmerge of the lead that it is from."""
    since: End | None = None
    for each in later:
        alias = each.data.get("alias")
        if (each.kind, alias) in ((MERGED, lead_id), (UNMERGED, turn.taken_from)):
            since = since or (each.time, each.published)
        elif (each.kind, alias) == (UNMERGED, lead_id) and since:
            yield since, each.time
            since = None
    if since:
        yield since, None
