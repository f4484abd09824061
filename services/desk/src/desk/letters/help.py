"""What the help of `baton letters` and `baton rejected` says, by the name of the kind."""

from __future__ import annotations

import typer

KINDS = {
    "letters": "Dead letters: records that a service set aside for good, each on `<topic>-dlq` with its reason.",
    "rejected": "Items that ingest refused while it answered with success, on `events-rejected`, each with its reason.",
}
MANY = {"letters": "dead letters", "rejected": "rejected items"}
EXAMPLES = {
    "letters": ("--reason rules_failed", "engagements-dlq/1/17", "--topic engagements --apply"),
    "rejected": ("--reason no_identifier", "events-rejected/0/3", "--reason bad_time --apply"),
}
TOPIC = {
    "letters": typer.Option(help="Of this topic only, with or without -dlq.", show_default=False, metavar="TOPIC"),
    "rejected": typer.Option(hidden=True),  # there is one
}
COUNTS = """Counts {many} by topic and reason; with --reason lists the single ones with their addresses.

{rest} They stay on their topic for as long as it keeps records, even after a successful replay.

Exits with 0, with 1 when the broker does not answer."""
LIST = {
    "letters": COUNTS.format(
        many=MANY["letters"], rest="`again` counts those that were replayed and failed once more."
    ),
    "rejected": COUNTS.format(
        many=MANY["rejected"], rest="What ingest answered with an error is not among them: its sender knows."
    ),
}
SHOWS = """Shows one of the {many} whole: why and where it was refused, and the original, which may hold personal data.

Bytes are shown as text when they are UTF-8, else as hex. Exits with 1 when the broker does not answer, with 2 when
there is none there."""
SHOW = {name: SHOWS.format(many=many) for name, many in MANY.items()}
PUBLISHES = """Publishes {many} to their topics again, so that the state is as if they had been valid at their own time.

{rest} Repeating a replay changes nothing, even after a kill: an event that was accepted is a duplicate.

Exits with 0 when all that can succeed was (or would be) published, with 1 when the broker does not answer or
refuses a record, with 2 when there is none there, with 130 after Ctrl-C."""
REPLAY = {
    "letters": PUBLISHES.format(
        many=MANY["letters"],
        rest="Mend the cause first: rules that fail again stop their partition after 20 in a row. Each event is judged "
        "again, its time against the instant it first came. One that fails again is a new dead letter, which "
        "`letters list` counts under `again`.",
    ),
    "rejected": PUBLISHES.format(
        many=MANY["rejected"],
        rest="Each item is read as ingest reads it today, as of its first receipt. One that ingest refuses again is "
        "not published; one that a service then refuses becomes a dead letter (`letters list`).",
    ),
}
