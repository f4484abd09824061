"""The links of an alias: which lead an event of it belongs to. Read by every service that forwards."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import datetime

STRENGTH = {"anonymous_id": 0, "user_id": 1, "email": 2}
"""Identifiers, the weakest first: a link goes to a stronger one."""
MOST = 100
"""Most leads of one alias: a device with more is a public one."""


@dataclass(frozen=True, slots=True)
class Links:
    """The leads of one alias. What happened before all links belongs to the lead of the link that arrived `first`.

    `since` has the links (time, lead) by time; of one lead only the link that arrived first.
    """

    first: str
    since: tuple[tuple[datetime, str], ...]

    def lead_at(self, time: datetime) -> str:
        """The lead to which an event of that time belongs: that of the latest link at or before it."""
        index = bisect_right(self.since, time, key=lambda link: link[0])
        return self.since[index - 1][1] if index else self.first

    @property
    def leads(self) -> tuple[str, ...]:
        """Every lead of the alias, the latest last."""
        return tuple(lead for _, lead in self.since)


def linked(links: Links | None, lead: str, time: datetime) -> Links:
    """With one more link, in the order of arrival; the very same where the lead is known, or has no room."""
    if links is None:
        return Links(lead, ((time, lead),))
    if lead in links.leads or len(links.since) >= MOST:
        return links
    return replace(links, since=tuple(sorted((*links.since, (time, lead)))))
