"""`baton letters` and `baton rejected`: list, show and replay, one implementation for both kinds."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from desk.letters.help import EXAMPLES, KINDS, LIST, REPLAY, SHOW, TOPIC
from desk.settings import DeskSettings
from desk.terminal import Json, bar, end, reaching_relay, say_relay

if TYPE_CHECKING:
    from desk.letters.box import Passed
    from desk.letters.entry import Address, Entry, Kind
    from desk.letters.overview import Overview
    from desk.letters.replay import Fates

INTERRUPTED = 130
Reason = Annotated[str | None, typer.Option(help="With this reason only.", show_default=False, metavar="REASON")]


def verbs(name: str) -> typer.Typer:
    """The commands of the kind, `letters` or `rejected`."""
    app = typer.Typer(help=KINDS[name], no_args_is_help=True)
    for_list, for_show, for_replay = EXAMPLES[name]

    def list_(
        topic: str | None = None,
        reason: Reason = None,
        limit: Annotated[int, typer.Option(min=1, help="Most single ones to list, the last ones read.")] = 50,
        as_json: Json = False,
    ) -> None:
        _list(_kinds(name), topic, reason, limit, as_json=as_json)

    def show(
        address: Annotated[str, typer.Argument(help="<topic>/<partition>/<offset>, as `list --reason` tells it.")],
        as_json: Json = False,
    ) -> None:
        _show(_kinds(name)[0], _address(address), as_json=as_json)

    def replay(
        addresses: Annotated[
            list[str] | None, typer.Argument(help="These only.", metavar="ADDRESS", show_default=False)
        ] = None,
        topic: str | None = None,
        reason: Reason = None,
        apply: Annotated[
            bool, typer.Option("--apply", help="Do it; without, it is only said what would be done.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        if addresses and (topic or reason):
            raise typer.BadParameter("give addresses, or --topic and --reason", param_hint="ADDRESS")
        places = [_address(each) for each in addresses or ()]
        _replay(_kinds(name)[0], places, (topic, reason), apply=apply, as_json=as_json)

    for command in (list_, replay):
        command.__annotations__["topic"] = Annotated[str | None, TOPIC[name]]
    _add(app, "list", list_, LIST[name], f"baton {name} list {for_list}")
    _add(app, "show", show, SHOW[name], f"baton {name} show {for_show}")
    _add(app, "replay", replay, REPLAY[name], f"baton {name} replay {for_replay}")
    return app


def _add(app: typer.Typer, name: str, command: Callable[..., None], about: str, example: str) -> None:
    command.__doc__ = f"{about}\n\nExample: {example}"
    app.command(name)(command)


def _kinds(name: str) -> tuple[Kind, Kind]:
    """The kind that was asked for, and the other one."""
    from desk.letters.letter import DeadLetters
    from desk.letters.rejected import RejectedItems
    from ingest.formats import Formats

    settings = DeskSettings.read()
    letters, rejected = DeadLetters(), RejectedItems(settings.limits, Formats(settings.mappings))
    return (letters, rejected) if name == letters.verb else (rejected, letters)


def _list(kinds: tuple[Kind, Kind], topic: str | None, reason: str | None, limit: int, *, as_json: bool) -> None:
    from desk.letters.box import count, every
    from desk.letters.overview import Overview
    from desk.letters.reader import reader

    kind, other = kinds
    overview, single = Overview(), deque["Entry"](maxlen=limit)

    async def look(passed: Passed) -> int:
        async with reader(DeskSettings.read().kafka) as source:
            others = await count(source, other)  # first: once a partition is read, each request waits for its poll
            async for entry in every(source, kind, topic, reason, passed):
                overview.add(entry)
                single.append(entry)
            return others

    with _finding_entries(), bar(kind.many) as passed:
        others = asyncio.run(look(passed))
    if as_json:
        entries = {kind.entries: [each.about() for each in single]} if reason else {}
        answer = {"reasons": [row.as_json(kind.entries) for row in overview.rows], **entries, other.verb: others}
        print(json.dumps(answer, indent=2))
        return
    _tell_list(kind, overview, list(single) if reason else None)
    print(f"{other.many.capitalize()}: {others} (baton {other.verb} list).")


def _show(kind: Kind, place: Address, *, as_json: bool) -> None:
    from desk.letters.box import at
    from desk.letters.overview import lines_of, whole
    from desk.letters.reader import reader

    async def look() -> Entry:
        async with reader(DeskSettings.read().kafka) as source:
            [entry] = [entry async for entry in at(source, kind, [place])]
            return entry

    with _finding_entries():
        entry = asyncio.run(look())
        print(json.dumps(whole(entry), indent=2) if as_json else "\n".join(lines_of(entry, kind.fates)))


def _replay(
    kind: Kind, places: Sequence[Address], wanted: tuple[str | None, str | None], *, apply: bool, as_json: bool
) -> None:
    from chassis.kafka.publisher import Publisher
    from desk.letters.box import at, every
    from desk.letters.reader import reader
    from desk.letters.replay import Replay

    fates: Fates = Counter()
    settings = DeskSettings.read()
    if apply:
        say_relay(settings.kafka)

    async def work(passed: Passed) -> None:
        async with reader(settings.kafka) as source, Publisher(settings.kafka) as publisher:
            replay = Replay(publisher if apply else None, source.topics, fates)
            async for entry in at(source, kind, places) if places else every(source, kind, *wanted, passed):
                await replay.take(entry)
            await replay.flush()

    with _telling(kind, fates, apply=apply, as_json=as_json), _finding_entries(), bar(kind.many) as passed:
        asyncio.run(work(passed))


@contextmanager
def _telling(kind: Kind, fates: Fates, *, apply: bool, as_json: bool) -> Iterator[None]:
    """Prints the fates of the entries, also after an interrupted replay, and ends the command accordingly."""
    from desk.letters.entry import REFUSED

    try:
        yield
    except (KeyboardInterrupt, typer.Exit) as ended:
        if fates:
            _tell_replay(kind, fates, apply=apply, as_json=as_json)
        if isinstance(ended, typer.Exit):
            raise
        typer.echo("Interrupted. Run it again: what has been accepted already is dropped as a duplicate.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    _tell_replay(kind, fates, apply=apply, as_json=as_json)
    if any(fate == REFUSED for _, _, fate in fates):
        raise typer.Exit(1)


def _address(text: str) -> Address:
    from desk.letters.entry import Address

    try:
        return Address.parse(text)
    except ValueError as error:
        raise typer.BadParameter("expected <topic>/<partition>/<offset>", param_hint="ADDRESS") from error


@contextmanager
def _finding_entries() -> Iterator[None]:
    """As `reaching_relay`, and ends the command with 2 when there is no such entry."""
    from desk.letters.box import Unknown

    with reaching_relay():
        try:
            yield
        except Unknown as error:
            end(str(error), error, code=2)


def _tell_list(kind: Kind, overview: Overview, single: Sequence[Entry] | None) -> None:
    from desk.letters.overview import second
    from desk.tables import columns

    rows = overview.rows
    count = sum(row.count for row in rows)
    if not rows:
        print(f"There are no {kind.many}." if single is None else f"There are no {kind.many} with this reason.")
    elif single is None:
        cells = [(r.topic, r.reason, r.count, r.again, second(r.oldest), second(r.newest)) for r in rows]
        print(columns(("topic", "reason", kind.entries, "again", "oldest", "newest"), cells))
    else:
        headings = ("address", "set aside", "from", "replay", "error")
        print(columns(headings, map(_line, single)))
        if count > len(single):
            print(f"... and {count - len(single)} before them; --limit says how many to list.")


def _line(entry: Entry) -> Sequence[str]:
    from desk.letters.overview import replay_of_words, second

    about = entry.about()
    sender = about.get("source") or about["service"] or ""
    return (str(entry.address), second(entry.set_aside_at), sender, replay_of_words(entry), about["error"])


def _tell_replay(kind: Kind, fates: Fates, *, apply: bool, as_json: bool) -> None:
    from desk.letters.entry import REPLAYED
    from desk.tables import columns

    rows = [(topic, reason, fate, count) for (topic, reason, fate), count in sorted(fates.items())]
    replayed = sum(count for _, _, fate, count in rows if fate == REPLAYED)
    if as_json:
        names = ("topic", "reason", "fate", kind.entries)
        answer = [dict(zip(names, row, strict=True)) for row in rows]
        print(json.dumps({"applied": apply, "replayed": replayed, "fates": answer}, indent=2))
        return
    if not rows:
        print(f"There are no such {kind.many}: nothing to replay.")
        return
    cells = [(topic, reason, count, kind.fates[fate]) for topic, reason, fate, count in rows]
    print(columns(("topic", "reason", kind.entries, "what becomes of them" if apply else "what would become"), cells))
    print(f"{replayed} replayed." if apply else f"{replayed} would be replayed; nothing was written. --apply does it.")
