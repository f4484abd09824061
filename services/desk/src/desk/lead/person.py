"""What a name may mean, and the names of a lead that its facts tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import typer

from schemas.engagements import LeadMerged
from schemas.envelope import Fact
from schemas.identity import Identifiers, lead_id_of, lead_of
from scorer.rules.names import merges_of

WORDS = {"email": "e-mail address", "user_id": "user id", "anonymous_id": "anonymous id"}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Candidate(NamedTuple):
    """What a name may be, and the lead id that it then has."""

    what: str
    lead_id: str


@dataclass(frozen=True, slots=True)
class Linked:
    """A lead that an alias is, and from when on."""

    lead_id: str
    email: str | None
    since: datetime

    @property
    def who(self) -> str:
        return f"{self.email} ({self.lead_id})" if self.email else f"lead {self.lead_id}"


@dataclass(frozen=True, slots=True)
class Alias:
    """A name of other leads by time, the latest last: by `links`, or by one merge, which can be undone.

    What it did before all of them belongs to the `first` that arrived. Of its `facts` so many are `left` to be moved
    there.
    """

    lead_id: str
    links: tuple[Linked, ...]
    first: str
    merged: bool = False
    facts: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a name means. `via` are the aliases on the way from the name to the person."""

    typed: str
    what: str
    lead_id: str
    via: tuple[Alias, ...] = ()


@dataclass(frozen=True, slots=True)
class Merged:
    """An alias that was merged into the lead."""

    name: str
    since: datetime
    because: str | None


@dataclass(frozen=True, slots=True)
class KnownAs:
    """The names of a lead: what its facts say by kind of identifier, and how many aliases it has."""

    email: tuple[str, ...] = ()
    user_id: tuple[str, ...] = ()
    anonymous_id: tuple[str, ...] = ()
    aliases: int = 0
    merged: tuple[Merged, ...] = field(default=())


def candidates(typed: str) -> list[Candidate]:
    """What the name may be, the likeliest first: an address may be a user id too, as one that was a person's before.

    Ends the command with 2 when it identifies nobody.
    """
    typed = typed.strip()
    try:
        found = [Candidate("lead id", typed.lower())] if _UUID.fullmatch(typed.lower()) else []
        if "@" in typed:
            found = [Candidate(WORDS["email"], lead_id_of(email=typed))]
        found.append(Candidate(WORDS["user_id"], lead_id_of(user_id=typed)))
        return [*found, Candidate(WORDS["anonymous_id"], lead_id_of(anonymous_id=typed))]
    except ValueError as error:
        wanted = "expected an e-mail address, a user id, an anonymous id or a lead_id"
        raise typer.BadParameter(wanted, param_hint="lead") from error


def identifiers_of(fact: Fact) -> Identifiers | None:
    """What the event says of who it was."""
    found = getattr(fact.event.data, "identifiers", None)
    return found if isinstance(found, Identifiers) else None


def came_by(fact: Fact) -> str | None:
    """The name by which the event came to its lead; None for the lead's own."""
    names = identifiers_of(fact)
    if fact.event.via is None:
        return None
    given: Mapping[str, str | None] = {} if names is None else dict(names)
    return next((f"{WORDS[kind]} {value}" for kind, value in given.items() if value), f"alias {fact.event.via}")


def known_as(facts: Sequence[Fact], aliases: int = 0) -> KnownAs:
    """The names that the facts of a lead tell, each once, in the order of the facts; its own address first."""
    found: dict[str, dict[str, None]] = {kind: {} for kind in WORDS}
    for names in filter(None, map(identifiers_of, facts)):
        for kind, value in names:
            if value:
                found[kind][value] = None
    email, user_id, anonymous_id = (tuple(found[kind]) for kind in WORDS)
    email = tuple(sorted(email, key=lambda address: lead_of(address) != facts[0].lead_id))
    return KnownAs(email, user_id, anonymous_id, aliases, tuple(_merged(facts)))


def _merged(facts: Sequence[Fact]) -> Iterable[Merged]:
    for alias, merge in merges_of(facts).items():
        if isinstance(merge.event, LeadMerged) and alias != merge.lead_id:
            came = (identifiers_of(fact) for fact in facts if fact.event.via == alias)
            name = next((names.email for names in came if names and names.email), alias)
            yield Merged(name, merge.time, merge.event.data.because)


def tell_found(person: Person, most: int = 5) -> list[str]:
    """By which name the person was found, and what each alias on the way is: its latest links, and how far it has been
    moved. Nothing for a name of her own.
    """
    lines = [f"found by the {person.what} {person.typed}"] if person.via else []
    for alias in person.via:
        links = [f"{link.who} since {link.since:%Y-%m-%d %H:%M:%S}" for link in alias.links[-most:]]
        if earlier := len(alias.links) - len(links):
            links.insert(0, f"{earlier} earlier ones")
        lines.append(f"alias {alias.lead_id} {'was merged into' if alias.merged else 'is'} {', '.join(links)}")
        if alias.first != alias.links[0].lead_id:
            lines.append(f"what it did before is lead {alias.first}'s")
        moved = f"{alias.facts - alias.left} of" if alias.left else "all of"
        lines.append(f"{moved} its {alias.facts} facts were moved there{' so far' if alias.left else ''}")
    return lines


def tell(known: KnownAs, most: int = 5) -> list[str]:
    """The names as lines, without the first address, which stands above."""
    names = [(WORDS[kind], value) for kind in WORDS for value in getattr(known, kind)[kind == "email" :]]
    lines = [f"{value} ({what})" for what, value in names[:most]]
    if more := max(len(names), known.aliases) - len(lines):
        lines.append(f"and {more} more")
    for merge in known.merged:
        because = f": {merge.because}" if merge.because else ""
        lines.append(f"{merge.name}, merged into it {merge.since:%Y-%m-%d %H:%M:%S}{because}")
    return lines
