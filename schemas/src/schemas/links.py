"""The links of an alias: which lead an event of it belongs to. Read by every service that forwards."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

STRENGTH = {"anonymous_id": 0, "user_id": 1, "email": 2}
"""Identifiers, the weakest first: a link goes to a stronger one."""
MOST = 100
"""Most links of one alias: a device with more is a public one."""
Span = tuple[datetime | None, datetime | None]
"""From the first instant on until before the second; None: without a beginning, without an end."""
Spans = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Links:
    """The leads of one alias. What happened before all links belongs to the lead of the link that arrived `first`.

    `since` has the links (time, lead) by time, without those that change nothing: a lead may come back.
    """

    first: str
    since: tuple[tuple[datetime, str], ...]

    def lead_at(self, time: datetime) -> str:
        """The lead to which an event of that time belongs: that of the latest link at or before it."""
        index = bisect_right(self.since, time, key=lambda link: link[0])
        return self.since[index - 1][1] if index else self.first

    def spans_of(self, leads: Collection[str]) -> Spans:
        """The times at which an event belongs to one of the leads, as `lead_at` says."""
        starts = [(None, self.first), *self.since]
        ends = [*(time for time, _ in self.since), None]
        return tuple((start, end) for (start, lead), end in zip(starts, ends, strict=True) if lead in leads)

    @property
    def leads(self) -> tuple[str, ...]:
        """Every lead of the alias once, the latest last."""
        return tuple(reversed(dict.fromkeys(lead for _, lead in reversed(self.since))))


def within(spans: Iterable[Span], time: datetime) -> bool:
    """Whether the time is in one of the spans."""
    return any((start is None or start <= time) and (end is None or time < end) for start, end in spans)


def common(some: Spans, others: Spans) -> Spans:
    """The spans that are in both."""
    found = list[Span]()
    for start, end in some:
        for first, last in others:
            begin = max((each for each in (start, first) if each is not None), default=None)
            until = min((each for each in (end, last) if each is not None), default=None)
            if begin is None or until is None or begin < until:
                found.append((begin, until))
    return tuple(found)


def linked(links: Links | None, lead: str, time: datetime) -> Links:
    """With one more link, in the order of arrival; the very same where it changes nothing, or has no room."""
    if links is None:
        return Links(lead, ((time, lead),))
    if links.lead_at(time) == lead or len(links.since) >= MOST:
        return links
    return replace(links, since=tuple(sorted((*links.since, (time, lead)))))
