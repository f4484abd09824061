"""Which leads are one person: the links on `engagements`, written a second time from schemas/README.md.

Knows aliases whose leads are all the same person's in the end: no device that two people share.
"""

from collections import defaultdict
from collections.abc import Iterator

from tests.chaos.raw import Json

STRENGTH = ("anonymous_id", "user_id", "email")
"""The weakest first."""


class Aliases:
    """The links, in the order in which each alias' records came."""

    def __init__(self) -> None:
        self._leads: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._aliases: defaultdict[str, dict[str, None]] = defaultdict(dict)

    def link(self, data: Json) -> None:
        """Takes a link's data in."""
        if means_something(data):
            self._leads[data["alias"]][data["lead"]] = None
            self._aliases[data["lead"]][data["alias"]] = None

    def __contains__(self, lead: str) -> bool:
        """Whether the lead is an alias of another one."""
        return bool(self._leads.get(lead))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Every alias with each of its leads."""
        return ((alias, lead) for alias, leads in self._leads.items() for lead in leads)

    def leads(self, alias: str) -> tuple[str, ...]:
        """The leads of the alias, one step up."""
        return tuple(self._leads.get(alias, ()))

    def of(self, lead: str) -> list[str]:
        """The lead and all that are its aliases, those of aliases too."""
        found = [lead]
        for each in found:
            found += [alias for alias in self._aliases.get(each, ()) if alias not in found]
        return found


def means_something(link: Json) -> bool:
    """Whether the link goes from a weaker identifier to a stronger one; else it is only kept."""
    by, to = (STRENGTH.index(link[name]) if link.get(name) else None for name in ("alias_by", "lead_by"))
    return by is not None and to is not None and by < to and link["alias"] != link["lead"]
