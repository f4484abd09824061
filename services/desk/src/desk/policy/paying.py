"""Says in words how a rule pays and what bounds its group: how often, up to what, for how long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from desk.policy import wording
from schemas.policy import Policy
from schemas.scores import Group
from schemas.scoring import SESSION, Clamp, Decay, Rule

_DAY = timedelta(days=1)
GROUPS: dict[Group, str] = {"fit": "fit", "engagement": "engagement", "negative": "what is negative"}


def instant(time: datetime) -> str:
    """In UTC, to the minute where the seconds are 0."""
    text = time.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    return f"{text.removesuffix(':00')} UTC"


def condition(rule: Rule) -> str:
    """What a rule pays for: which engagements, how many, within which time, how counted."""
    parts = (wording.subject(rule), times(rule), counted(rule))
    return ", ".join(part for part in parts if part)


def times(rule: Rule) -> str:
    """How many engagements it needs, and within which time; empty for one at any time."""
    window = f"within the last {wording.duration(rule.count.window)}" if rule.count.window else ""
    if rule.needed == 1:
        return window
    least = "more than once" if (rule.count.op, rule.count.n) == (">", 1) else f"{wording.reach(rule.count)} times"
    return f"{least} {window}".rstrip()


def counted(rule: Rule) -> str:
    """What engagements are counted by; empty where each counts, or where it makes no difference."""
    first = rule.award == "once" and rule.needed == 1 and rule.count.window is None and rule.decay is None
    if rule.engagement is None or rule.count_by == "event" or first:
        return ""
    noun = "visit" if rule.engagement.kind == "page_viewed" else "session"
    return f"counted by {noun} ({wording.duration(SESSION)} without one end a {noun})"


def award(rule: Rule) -> str:
    """How often a rule pays, and up to what."""
    if rule.total_cap is None:
        return "once"
    day = "" if rule.per_day_cap is None else f", at most {wording.number(rule.per_day_cap)} a day (UTC)"
    return f"each time, at most {wording.number(rule.total_cap)} in all{day}"


def decay(left: Decay | None) -> str:
    """What decay leaves; of a linear one the day when nothing is left, since 50% in 10 days are 100% in 20."""
    if left is None:
        return "does not fade"
    if left.expire is not None:
        return f"expires after {wording.duration(left.expire)}"
    if left.half_life is not None:
        return f"halves every {wording.duration(left.half_life)}"
    assert left.linear is not None  # noqa: S101 - one of the three
    days, part = divmod(left.linear // _DAY / Fraction(str(left.share)), 1)
    span = f"{days} {part} days" if part else wording.duration(days * _DAY)
    return f"fades to nothing over {span}"


def validity(rule: Rule) -> str:
    """When a rule pays at all."""
    if rule.valid_from and rule.valid_to:
        return f"only from {instant(rule.valid_from)} to {instant(rule.valid_to)}"
    if rule.valid_from:
        return f"only from {instant(rule.valid_from)} on"
    return f"only before {instant(rule.valid_to)}" if rule.valid_to else "at any time"


def entry(rule: Rule) -> str:
    """A rule without its points."""
    return "; ".join((condition(rule), *_unusual(rule)))


def pays(rule: Rule) -> str:
    """A rule: its condition, then its points."""
    return "; ".join((f"{condition(rule)}: {wording.points(rule.points)}", *_unusual(rule)))


def bounds(policy: Policy, group: Group) -> str:
    """The most and the least points of a group; empty where it has no bounds."""
    words = " and ".join(_bounds(policy.scoring.groups.get(group, Clamp())))
    return f"{GROUPS[group]} {words} together" if words else ""


def _unusual(rule: Rule) -> Iterator[str]:
    if rule.award != "once":
        yield award(rule)
    if rule.decay:
        yield decay(rule.decay)
    if rule.valid_from or rule.valid_to:
        yield validity(rule)


def _bounds(clamp: Clamp) -> Iterator[str]:
    if clamp.max is not None:
        yield f"gives at most {wording.points(clamp.max)}" if clamp.max else "gives no points"
    if clamp.min is not None:
        yield f"takes at most {wording.points(-clamp.min)}" if clamp.min else "takes no points"
