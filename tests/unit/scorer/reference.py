"""Reference scoring: every rule computed from all facts at every instant of change; slow.

Written from the requirements and the docstrings of schemas/policy.py, without a look at the scorer's rules, so that
what one of the two misreads is a difference. Points are whole thousandths; facts are events, their times as judged.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any

from schemas.engagements import (
    LARGEST_COMPANY,
    Description,
    EngagementRecorded,
    LeadDescribed,
    LeadOptedIn,
    SizeRange,
)
from schemas.envelope import Envelope
from schemas.scores import Group
from schemas.scoring import SESSION, AttributeMatch, Clamp, Decay, Rule, Scoring

Known = Sequence[EngagementRecorded | LeadDescribed | LeadOptedIn]


def _milli(points: float) -> int:
    return round(points * 1000)


@dataclass(frozen=True)
class Answer:
    """What a lead's facts come to at an instant; `pays` names the rules that pay, with what."""

    milli: int
    band: str
    facts: dict[str, datetime]
    pays: dict[str, int]


def history(events: Sequence[Envelope], scoring: Scoring, until: datetime) -> list[tuple[datetime, Answer]]:
    """Each instant at which the answer may change, with the answer from then on; the last is `until`."""
    read = (e for e in events if isinstance(e, EngagementRecorded | LeadDescribed | LeadOptedIn))
    facts = sorted((e for e in read if not getattr(e.data, "machine", False)), key=lambda e: (e.time, e.source, e.id))
    since: dict[str, datetime] = {}
    told = []
    instants = {until, *(event.time for event in events), *_instants(facts, scoring, until)}
    for instant in sorted(instant for instant in instants if instant <= until):
        known = [event for event in facts if event.time <= instant]
        pays = _pays(scoring, known, instant)
        milli = _total(scoring, pays)
        bands = [band.name for n, band in enumerate(scoring.bands) if n == 0 or band.least.holds(milli / 1000)]
        holding = {*(f"band:{band}" for band in bands), *_holding(scoring, known, pays)} if known else set()
        since = {name: since.get(name, instant) for name in holding}
        told.append((instant, Answer(milli, bands[-1], since, pays)))
    return told


def _instants(facts: Known, scoring: Scoring, until: datetime) -> Iterator[datetime]:
    for rule in scoring.rules:
        yield from (edge for edge in (rule.valid_from, rule.valid_to) if edge)
        for time in (event.time for event in facts if _matches(rule, event)):
            yield time + (rule.count.window or timedelta(0))
            ages = range(1, (until - time).days + 1 if rule.decay else 0)
            yield from (time + timedelta(n) for n in ages if _left(_milli(rule.points), rule.decay, n - 1))


def _matches(rule: Rule, event: Envelope) -> bool:
    if rule.engagement is None or not isinstance(event, EngagementRecorded):
        return False
    return event.data.kind == rule.engagement.kind and rule.engagement.content in (None, event.data.content)


def _pays(scoring: Scoring, known: Known, instant: datetime) -> dict[str, int]:
    pays: dict[str, int] = {}
    taken: set[str | None] = set()
    for rule in scoring.rules:
        if (net := _net(rule, known, instant)) and rule.exclusive not in taken:
            pays[rule.id] = net
            taken |= {rule.exclusive} - {None}
    return pays


def _net(rule: Rule, known: Known, instant: datetime) -> int:
    if (rule.valid_from and instant < rule.valid_from) or (rule.valid_to and instant >= rule.valid_to):
        return 0
    points = _milli(rule.points)
    if rule.attribute:
        return points if _in_force(rule.attribute, known) else 0
    times = [event.time for event in known if _matches(rule, event)]
    if rule.count_by == "session":
        times = [time for n, time in enumerate(times) if n == 0 or time - times[n - 1] >= SESSION]
    if rule.award == "per_event":
        return sum(_left(share, rule.decay, (instant - time).days) for time, share in _shares(rule, times))
    times = [time for time in times if not rule.count.window or time > instant - rule.count.window]
    return _left(points, rule.decay, (instant - times[-1]).days) if rule.count.holds(len(times)) else 0


def _shares(rule: Rule, times: Sequence[datetime]) -> Iterator[tuple[datetime, int]]:
    points, whole = _milli(rule.points), _milli(rule.total_cap or 0)
    days: dict[date, int] = defaultdict(lambda: _milli(rule.per_day_cap or 10**9))
    for time in times:
        allowed = min(abs(points), days[time.astimezone(UTC).date()])
        days[time.astimezone(UTC).date()] -= allowed
        yield time, min(allowed, whole) if points > 0 else -min(allowed, whole)
        whole -= min(allowed, whole)


@cache
def _left(milli: int, decay: Decay | None, days: int) -> int:
    left = Decimal(milli)
    if decay and decay.expire:
        left *= days < decay.expire.days
    if decay and decay.half_life:
        left *= Decimal(2) ** (Decimal(-days) / (decay.half_life.days))
    if decay and decay.linear:
        left = left * max(Decimal(0), decay.linear.days - Decimal(str(decay.share)) * days) / decay.linear.days
    return int(left.quantize(Decimal(1), ROUND_HALF_UP))  # a half goes away from 0, on both sides


def _total(scoring: Scoring, pays: dict[str, int]) -> int:
    sums: dict[Group, int] = dict.fromkeys(scoring.groups, 0)
    for rule in scoring.rules:
        sums[rule.group] = sums.get(rule.group, 0) + pays.get(rule.id, 0)
    clamped = (_within(points, scoring.groups.get(group, Clamp())) for group, points in sums.items())
    return _within(sum(clamped), Clamp(min=0, max=scoring.max))


def _within(milli: int, clamp: Clamp) -> int:
    milli = milli if clamp.min is None else max(milli, _milli(clamp.min))
    return milli if clamp.max is None else min(milli, _milli(clamp.max))


def _holding(scoring: Scoring, known: Known, pays: dict[str, int]) -> Iterator[str]:
    holds = {
        "engaged": any(rule.engagement and pays.get(rule.id, 0) > 0 for rule in scoring.rules),
        "fit_profile": bool(scoring.profile) and all(_in_force(test, known) for test in scoring.profile),
        "contactable": any(event.data.identifiers.email for event in known),
        "double_opt_in": any(isinstance(event, LeadOptedIn) and event.sentby != "public" for event in known),
    }
    return (name for name, true in holds.items() if true)


def _stated(data: Description, name: str) -> Any:
    value = getattr(data, name)
    return data.company_size_range if value is None and name == "company_size" else value


def _in_force(test: AttributeMatch, known: Known) -> bool:
    descriptions = [event for event in known if isinstance(event, LeadDescribed)]
    said = [(event.sentby, value) for event in descriptions if (value := _stated(event.data, test.name)) is not None]
    trusted = [value for by, value in said if by != "public"]
    *_, value = (None, *(trusted or [value for _, value in said]))
    if value is None:
        return False
    if test.between:
        least, most = (value.least, value.most) if isinstance(value, SizeRange) else (value, value)
        return test.between[0] <= least and (LARGEST_COMPANY if most is None else most) <= test.between[1]
    code, *wanted = (re.sub(r"[\s_-]+", "_", str(text).strip().lower()) for text in (value, *(test.is_ or ())))
    return code in wanted
