"""`baton merge` and `baton unmerge`: two known leads are one person, or are not."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from desk.settings import DeskSettings
from desk.terminal import Json, Yes, confirm, reaching_relay, say_relay

if TYPE_CHECKING:
    from desk.lead.look import Look
    from desk.lead.screen import Screen

Old = Annotated[str, typer.Argument(metavar="OLD", help="The lead that is another one, by any of its names.")]
New = Annotated[str, typer.Argument(metavar="NEW", help="The lead that it is: it survives.")]
Because = Annotated[str | None, typer.Option("--because", help="Why, for who looks at the lead later.")]
TAKES = 30
"""Seconds within which a relay at work has merged."""


def merge(old: Old, new: New, because: Because = None, yes: Yes = False, as_json: Json = False) -> None:
    """Makes two known leads one: all that OLD did counts for NEW, and what it does later goes there too.

    Shows first what each has, and asks. NEW keeps its open episode and owner, or takes over those of OLD, without
    another handoff. `baton unmerge` takes it back.

    Exits with 1 when it was not asked for after all, or nothing came of it within 30 s.

    Example: baton merge ada@old.example ada@new.example --because "changed employer"
    """
    with reaching_relay():
        look, one, other = _both(old, new)
        _refuse_same(one, other, old, new)
        if one.score is None or other.score is None:
            _end(f"No service knows {old if one.score is None else new}: both have to be known.")
    for line in [*_tell("OLD", one), *_tell("NEW", other), _outcome(one, other)]:
        typer.echo(line, err=True)
    confirm(f"Merge {_who(one)}{_of_whom(one)} into {_who(other)}{_of_whom(other)}?", yes=yes)
    _say(look, (one.lead_id, other.lead_id), because, unmerge=False, as_json=as_json)


def unmerge(old: Old, new: New, because: Because = None, yes: Yes = False, as_json: Json = False) -> None:
    """Takes a merge back: what came by OLD does not count for NEW any more, and OLD is a lead of its own again.

    A link, which events with two identifiers make, cannot be undone. Exits with 1 for one, for what is not merged,
    when it was not asked for after all, or nothing came of it within 30 s.

    Example: baton unmerge ada@old.example ada@new.example --yes
    """
    with reaching_relay():
        look, one, other = _both(old, new)
    via = one.person.via if one.person else ()
    if one.lead_id != other.lead_id or not via:
        _end(f"{old} is not merged into {new}.")
    alias, lead = via[0], via[0].links[-1]  # in a chain of merges the next one, not the last
    if not alias.merged:
        merged = next((f" Merged is lead {each.lead_id}: unmerge that one." for each in via if each.merged), "")
        _end(f"{old} is linked to {lead.who}, not merged: events carried both, and a link cannot be undone.{merged}")
    for line in _tell("NOW", other):
        typer.echo(line, err=True)
    confirm(f"Make {old} a lead of its own again?", yes=yes)
    _say(look, (alias.lead_id, lead.lead_id), because, unmerge=True, as_json=as_json)


def _both(old: str, new: str) -> tuple[Look, Screen, Screen]:
    from desk.lead.look import Look
    from desk.lead.person import candidates

    for name in (old, new):
        candidates(name)
    look = Look.of(DeskSettings.read())
    say_relay(look.settings.kafka)
    return look, asyncio.run(look.screen(old)), asyncio.run(look.screen(new))


def _refuse_same(one: Screen, other: Screen, old: str, new: str) -> None:
    if one.lead_id == other.lead_id:
        _end(f"{old} and {new} are one lead already: {one.lead_id}.")


def _tell(what: str, screen: Screen) -> list[str]:
    """Who it is, what it has, who owns it, and by which other name it was found."""
    score = f"{screen.score.score:g} points, {screen.score.facts_read} facts" if screen.score else "no score"
    standing = screen.standing
    owned = f", {standing.stage}, owner {standing.episode.owner.name}" if standing and standing.episode else ""
    running = sum(row.state == "running" for row in screen.clocks)
    line = f"{what}  {_who(screen)}: {score}{owned}{f', {running} clocks running' if running else ''}"
    if screen.person is None or not screen.person.via:
        return [line]
    return [line, f"     {screen.person.typed} is only a name of it: the whole lead is meant, with all its names."]


def _outcome(one: Screen, other: Screen) -> str:
    """What becomes of the owners."""
    from router.rules.lead import ENDS

    both = [each.standing for each in (one, other)]
    open_ = [standing is not None and bool(standing.episode) and standing.stage not in ENDS for standing in both]
    if all(open_):
        return "NEW keeps its owner and its clocks; those of OLD end as merged."
    if open_[0]:
        return "NEW takes over the owner of OLD, without another handoff; its clocks start now."
    return "No owner changes."


def _who(screen: Screen) -> str:
    email = screen.score.email if screen.score else None
    return f"{email} ({screen.lead_id})" if email else f"lead {screen.lead_id}"


def _of_whom(screen: Screen) -> str:
    """The name that was typed, where it is another one of the lead."""
    return f", of whom {screen.person.typed} is a name," if screen.person and screen.person.via else ""


def _say(look: Look, leads: tuple[str, str], because: str | None, *, unmerge: bool, as_json: bool) -> None:
    """Publishes it, and waits until the scorer has it."""
    from chassis.kafka.publisher import Publisher, Record
    from desk.lead.finding import person
    from schemas.engagements import LeadMerged, LeadUnmerged, Merge

    alias, lead = leads
    kind = LeadUnmerged if unmerge else LeadMerged
    event = kind(
        id=str(uuid4()),
        source="baton/operator",
        subject=alias,
        time=datetime.now(UTC),
        data=Merge(alias=alias, lead=lead, because=because),
    )

    async def publish() -> bool:
        async with Publisher(look.settings.kafka) as publisher:
            await publisher.publish([Record(event.topic, alias.encode(), event.encode())])
        for _ in range(2 * TAKES):
            if ((await person(look.settings.database, alias)).lead_id != alias) is not unmerge:
                return True
            await asyncio.sleep(0.5)
        return False

    with reaching_relay():
        done = asyncio.run(publish())
    what = "unmerged" if unmerge else "merged"
    if as_json:
        print(json.dumps({"alias": alias, "lead": lead, "event": event.id, "asked": what, "done": done}))
    elif done:
        print(f"{what}: `baton lead` on either says so.")
    if not done:
        _end(f"The event is published, but nothing came of it within {TAKES} s: is the scorer running?")


def _end(sentence: str) -> None:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)
