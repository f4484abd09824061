"""Which leads are one person: links and merges on `engagements`, written a second time from schemas/README.md.

Knows aliases whose leads are all the same person's in the end: no device that two people share.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from tests.chaos.raw import Json

STRENGTH = ("anonymous_id", "user_id", "email")
"""The weakest first."""
MERGED, UNMERGED = "lead.merged", "lead.unmerged"
Place = tuple[datetime, str, str]


class Aliases:
    """The links, and of each merged lead what was said last, by the events' own times."""

    def __init__(self) -> None:
        self._leads: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._aliases: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._merges: dict[str, tuple[Place, str, str]] = {}
        self._survivors: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._merged_into: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """Every alias and lead that were ever said to be one, or not to be: both ways."""
        self.unmerged: set[str] = set()
        """Aliases of which an unmerge was said, also those merged again since."""

    def link(self, data: Json) -> None:
        """Takes a link's data in."""
        if means_something(data):
            self._leads[data["alias"]][data["lead"]] = None
            self._aliases[data["lead"]][data["alias"]] = None

    def merge(self, kind: str, place: Place, data: Json) -> None:
        """Takes a merge or an unmerge in; `place` is its own in the order of the alias' facts."""
        said = (place, kind, data["lead"])
        self._merges[data["alias"]] = max(said, self._merges.get(data["alias"], said))
        self._survivors[data["alias"]][data["lead"]] = None
        self._merged_into[data["lead"]][data["alias"]] = None
        self.unmerged |= {data["alias"]} if kind == UNMERGED else set()

    def latest(self) -> Iterator[tuple[str, str, str]]:
        """Whether each alias is merged or unmerged in the end, and with which lead."""
        return ((kind, alias, lead) for alias, (_, kind, lead) in self._merges.items())

    def __contains__(self, lead: str) -> bool:
        """Whether the lead is an alias of another one."""
        return self.linked(lead) or self._merged(lead) is not None

    def linked(self, lead: str) -> bool:
        """Whether the lead is an alias by a link: for good, and never handed off."""
        return bool(self._leads.get(lead))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Every alias that is linked, with each of its leads."""
        return ((alias, lead) for alias, leads in self._leads.items() for lead in leads)

    def leads(self, alias: str) -> set[str]:
        """The leads of the alias, one step up; those that it was unmerged from since, too."""
        return {*self._leads.get(alias, ()), *self._survivors.get(alias, ())}

    def of(self, lead: str, *, ever: bool = False) -> list[str]:
        """The lead and all that are its aliases, or `ever` were, those of aliases too."""
        found = [lead]
        for each in found:
            merged = [one for one in self._merged_into.get(each, ()) if ever or self._merged(one) == each]
            found += [alias for alias in (*self._aliases.get(each, ()), *merged) if alias not in found]
        return found

    def _merged(self, alias: str) -> str | None:
        _, kind, lead = self._merges.get(alias, (None, "", ""))
        return lead if kind == MERGED else None


def means_something(link: Json) -> bool:
    """Whether the link goes from a weaker identifier to a stronger one; else it is only kept."""
    by, to = (STRENGTH.index(link[name]) if link.get(name) else None for name in ("alias_by", "lead_by"))
    return by is not None and to is not None and by < to and link["alias"] != link["lead"]
