"""The console script `dead-letters`: list, show, replay."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic_settings import SettingsConfigDict

from chassis.commands import bar
from chassis.process.settings import Settings

if TYPE_CHECKING:
    from chassis.letters.box import Passed
    from chassis.letters.letter import Address, Letter
    from chassis.letters.overview import Overview
    from chassis.letters.replay import Fates

INTERRUPTED = 130

main = typer.Typer(
    help="Dead letters: records that a service set aside for good, each on `<topic>-dlq` with its reason.",
    add_completion=False,
    no_args_is_help=True,
)

Topic = Annotated[
    str | None, typer.Option(help="Of this topic only, with or without -dlq.", show_default=False, metavar="TOPIC")
]
Reason = Annotated[str | None, typer.Option(help="With this reason only.", show_default=False, metavar="REASON")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]


class LettersSettings(Settings):
    """Where the broker is; `make run` tells it in the file."""

    model_config = SettingsConfigDict(env_file=".baton/dead-letters.env")


@main.command("list")
def list_(
    topic: Topic = None,
    reason: Reason = None,
    limit: Annotated[int, typer.Option(min=1, help="Most single letters to list, the last ones read.")] = 50,
    as_json: Json = False,
) -> None:
    """Counts dead letters by topic and reason; with --reason lists the single ones with their addresses.

    `again` counts those that were replayed and failed once more. A letter stays on its topic for as long as the topic
    keeps records, also when its replay succeeded. Exits with 0, with 1 when the broker does not answer.
    """
    from chassis.letters.box import every
    from chassis.letters.overview import Overview
    from chassis.letters.reader import reader

    overview, single = Overview(), deque["Letter"](maxlen=limit)
    settings = LettersSettings.read()

    async def look(passed: Passed) -> None:
        async with reader(settings.kafka) as source:
            async for letter in every(source, topic, reason, passed):
                overview.add(letter)
                single.append(letter)

    with _plainly(), bar("Dead letters") as passed:
        asyncio.run(look(passed))
    _tell_list(overview, list(single) if reason else None, as_json=as_json)


@main.command()
def show(
    address: Annotated[str, typer.Argument(help="<topic>-dlq/<partition>/<offset>, as `list --reason` tells it.")],
    as_json: Json = False,
) -> None:
    """Shows one dead letter whole: why and where it was refused, and the original, which may hold personal data.

    Bytes are shown as text when they are UTF-8, else as hex. Exits with 1 when the broker does not answer, with 2 when
    there is no such letter.
    """
    from chassis.letters.box import at
    from chassis.letters.overview import lines_of, told_whole
    from chassis.letters.reader import reader

    place, settings = _address(address), LettersSettings.read()

    async def look() -> Letter:
        async with reader(settings.kafka) as source:
            [letter] = [letter async for letter in at(source, [place])]
            return letter

    with _plainly():
        letter = asyncio.run(look())
    print(json.dumps(told_whole(letter), indent=2) if as_json else "\n".join(lines_of(letter)))


@main.command()
def replay(
    addresses: Annotated[
        list[str] | None, typer.Argument(help="These letters only.", metavar="[ADDRESS]...", show_default=False)
    ] = None,
    topic: Topic = None,
    reason: Reason = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without, it is only said what would be done.")] = False,
    as_json: Json = False,
) -> None:
    """Publishes dead letters to their topics again, so that the state is as if they had been valid at their own time.

    Mend the cause first: rules that fail again stop their partition after 20 in a row. The service judges each event
    anew, except its time, which is judged against the instant it first came. One that fails again is a new dead letter,
    which `list` counts under `again`. Repeating a replay changes nothing, also one that was killed: an event that has
    been accepted is dropped as a duplicate.

    Exits with 0 when all that can succeed was (or would be) published, with 1 when the broker does not answer or
    refuses a record, with 2 when there is no such letter, with 130 after Ctrl-C.
    """
    from chassis.kafka.publisher import Publisher
    from chassis.letters.box import at, every
    from chassis.letters.reader import reader
    from chassis.letters.replay import Replay

    if addresses and (topic or reason):
        raise typer.BadParameter("give addresses, or --topic and --reason", param_hint="ADDRESS")
    places, settings = [_address(each) for each in addresses or ()], LettersSettings.read()
    fates: Fates = Counter()

    async def work(passed: Passed) -> None:
        async with reader(settings.kafka) as source, Publisher(settings.kafka) as publisher:
            replay = Replay(publisher if apply else None, source.topics.keys(), fates)
            async for letter in at(source, places) if places else every(source, topic, reason, passed):
                await replay.take(letter)
            await replay.flush()

    with _telling(fates, apply=apply, as_json=as_json), _plainly(), bar("Dead letters") as passed:
        asyncio.run(work(passed))


@contextmanager
def _telling(fates: Fates, *, apply: bool, as_json: bool) -> Iterator[None]:
    """Says what has become of the letters, also of a replay that was broken off, and ends the command accordingly."""
    from chassis.letters.replay import REFUSED

    try:
        yield
    except (KeyboardInterrupt, typer.Exit) as ended:
        if fates:
            _tell_replay(fates, apply=apply, as_json=as_json)
        if isinstance(ended, typer.Exit):
            raise
        typer.echo("Interrupted. Run it again: what has been accepted already is dropped as a duplicate.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    _tell_replay(fates, apply=apply, as_json=as_json)
    if any(fate == REFUSED for _, _, fate in fates):
        raise typer.Exit(1)


def _address(text: str) -> Address:
    from chassis.letters.letter import Address

    try:
        return Address.parse(text)
    except ValueError as error:
        raise typer.BadParameter("expected <topic>-dlq/<partition>/<offset>", param_hint="ADDRESS") from error


@contextmanager
def _plainly() -> Iterator[None]:
    """Ends the command with a sentence: 1 when the broker does not answer, 2 when there is no such letter."""
    import logging

    from chassis.letters.box import Unknown
    from chassis.process.failures import BrokerAway

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it has to say is said in a sentence
    try:
        yield
    except Unknown as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    except BrokerAway as error:
        typer.echo(f"Kafka does not answer now ({error}). Run it again.", err=True)
        raise typer.Exit(1) from error


def _tell_list(overview: Overview, single: Sequence[Letter] | None, *, as_json: bool) -> None:
    from chassis.letters.overview import second, told
    from chassis.tables import columns

    rows = overview.rows
    count = sum(row.letters for row in rows)
    if as_json:
        letters = {} if single is None else {"letters": [told(letter) for letter in single]}
        print(json.dumps({"reasons": [row.told() for row in rows], **letters}, indent=2))
    elif not rows:
        print("There are no dead letters." if single is None else "There are no dead letters with this reason.")
    elif single is None:
        cells = [(r.topic, r.reason, r.letters, r.again, second(r.oldest), second(r.newest)) for r in rows]
        print(columns(("topic", "reason", "letters", "again", "oldest", "newest"), cells))
    else:
        headings = ("letter", "set aside", "service", "replay of", "error")
        print(columns(headings, ([cell or "" for cell in _line(letter)] for letter in single)))
        if count > len(single):
            print(f"... and {count - len(single)} before them; --limit says how many to list.")


def _line(letter: Letter) -> Sequence[Any]:
    from chassis.letters.overview import second, told

    about = told(letter)
    return (letter.address, second(letter.set_aside_at), about["service"], letter.replay_of, about["error"])


def _tell_replay(fates: Fates, *, apply: bool, as_json: bool) -> None:
    from chassis.letters.replay import FATES, REPLAYED
    from chassis.tables import columns

    rows = [(topic, reason, fate, count) for (topic, reason, fate), count in sorted(fates.items())]
    replayed = sum(count for _, _, fate, count in rows if fate == REPLAYED)
    if as_json:
        names = ("topic", "reason", "fate", "letters")
        told = [dict(zip(names, row, strict=True)) for row in rows]
        print(json.dumps({"applied": apply, "replayed": replayed, "fates": told}, indent=2))
        return
    if not rows:
        print("There are no such dead letters: nothing to replay.")
        return
    cells = [(topic, reason, count, FATES[fate]) for topic, reason, fate, count in rows]
    print(columns(("topic", "reason", "letters", "what becomes of them" if apply else "what would become"), cells))
    print(f"{replayed} replayed." if apply else f"{replayed} would be replayed; nothing was written. --apply does it.")


if __name__ == "__main__":
    main()
