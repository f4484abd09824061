"""`baton policy backtest|apply|status`: tries a draft on stored facts, puts it into force, reports its progress."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from desk.policy.naming import DraftArgument
from desk.settings import DeskSettings
from desk.terminal import INSTANTS, Json, Yes, bar, confirm, instant_named, reaching_relay, stamp

if TYPE_CHECKING:
    from datetime import datetime

    from chassis.partition.journal import Revision
    from chassis.policy import Policies
    from desk.policy.candidate import Candidate
    from schemas.policy import Policy

applying = typer.Typer()


@applying.command()
def backtest(
    draft: DraftArgument,
    since: Annotated[
        str | None, typer.Option("--from", metavar="INSTANT", help=f"Only facts from then on: {INSTANTS}.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="INSTANT", help="Only facts before then.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, with the ids of all leads.")] = False,
    as_html: Annotated[bool, typer.Option("--html", help="One HTML page that needs nothing else.")] = False,
) -> None:
    """Scores all stored facts under another policy, beside the policy in force, and changes nothing.

    Prints leads by band, who would newly reach the gate's band and who no longer, and what each rule pays. Facts are
    read at one instant; the same facts give the same bytes. A candidate that scores as the policy in force does is
    compared with the stored scores too, if neither --from nor --to is given.

    Exits with 0, with 1 when a stored score does not follow from the facts or the database cannot be read, with 2 for a
    policy file that is wrong, with 130 after Ctrl-C.

    Example: baton policy backtest balanced --html > balanced.html
    """
    if as_json and as_html:
        raise typer.BadParameter("give --json or --html, not both", param_hint="--html")
    start = None if since is None else instant_named(since, "--from")
    end = None if until is None else instant_named(until, "--to")
    if start and end and start >= end:
        raise typer.BadParameter("expected an instant after --from", param_hint="--to")
    _backtest(draft, start, end, as_json=as_json, as_html=as_html)


def _backtest(
    policy_file: Path, since: datetime | None, until: datetime | None, *, as_json: bool, as_html: bool
) -> None:
    from chassis.policy import PolicyError, load_version
    from chassis.process.run import tame_garbage_collector
    from desk.policy import sheet
    from desk.policy.backtesting import Asked, backtest
    from desk.tables import joined
    from schemas.policy import Policy

    settings = DeskSettings.read()
    try:
        candidate = load_version(policy_file, Policy).version
    except PolicyError as error:
        typer.echo(joined(("The candidate is no policy:", *error.problems)), err=True)
        raise typer.Exit(2) from error
    asked = Asked(candidate, since, until, most=sys.maxsize if as_json else sheet.NAMED)
    tame_garbage_collector()  # without it, collecting takes a third of the time
    with reaching_relay(), bar("Facts") as tell:
        report = asyncio.run(backtest(settings, asked, tell))
    write = sheet.as_json if as_json else sheet.as_html if as_html else sheet.as_text
    print(write(report))
    if report.differing is not None and report.differing.count:
        typer.echo("Stored scores do not follow from the facts: this needs a person.", err=True)
        raise typer.Exit(1)


@applying.command()
def apply(
    draft: DraftArgument,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="INSTANT", help=f"From when on it is in force, else in two minutes: {INSTANTS}."),
    ] = None,
    yes: Yes = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object at the end instead of a sentence; needs --yes.")
    ] = False,
) -> None:
    """Adds a draft to the live policy's folder as its next version, after showing what that would change.

    The draft's own name, number and date are replaced. The running services find the version within seconds; at its
    date each partition's worker judges its leads by it and publishes each score that changes by a point, or in what
    the gate reads, once, even if it is interrupted. No lead passes the gate by it alone unless it says
    `apply_to_past: true`.

    Exits with 0, with 1 when it was not put into force, with 2 for a draft or an instant that is wrong.

    Example: baton policy apply balanced --at 2026-12-01
    """
    from chassis.policy import load_policies
    from desk.lead.explanation import second
    from schemas.policy import Policy

    if as_json and not yes:
        raise typer.BadParameter("give --yes with --json, for nobody can be asked", param_hint="--json")
    settings = DeskSettings.read()
    with reaching_relay():
        policies = load_policies(settings.policies, Policy)
    _show(settings, _candidate(draft, policies, at), aside=as_json)
    # again: reading all facts may have taken longer than its date was ahead
    candidate = _candidate(draft, policies, at)
    terms = candidate.terms
    name = f"version {terms.version} of {terms.policy}, in force from {second(terms.effective_from)} UTC on"
    confirm(f"Make it {name}?", yes=yes)
    _put(candidate)
    answer = {"file": str(candidate.path), "version": terms.version, "effective_from": stamp(terms.effective_from)}
    said = f"{candidate.path} is {name}; `baton policy status` says how far it has come."
    typer.echo(json.dumps(answer) if as_json else said)


def _candidate(draft: Path, policies: Policies[Policy], at: str | None) -> Candidate:
    """Ends the command with 2 for a draft or an instant that is wrong."""
    from datetime import UTC, datetime

    from chassis.policy import PolicyError
    from desk.policy.candidate import AHEAD, candidate_of
    from desk.tables import joined

    now = datetime.now(UTC)
    date = (now + 2 * AHEAD).replace(microsecond=0) if at is None else instant_named(at, "--at")
    if date < now + AHEAD:
        raise typer.BadParameter("expected an instant at least a minute from now", param_hint="--at")
    try:
        return candidate_of(draft, policies, date)
    except PolicyError as error:
        typer.echo(joined(("The draft cannot be applied:", *error.problems)), err=True)
        raise typer.Exit(2) from error


def _put(candidate: Candidate) -> None:
    """Ends the command with 1 where the version cannot be added any more."""
    from datetime import UTC, datetime

    from desk.policy.candidate import put

    if candidate.terms.effective_from < datetime.now(UTC):
        typer.echo("Nothing was changed: its date has passed meanwhile. Run it again.", err=True)
        raise typer.Exit(1)
    try:
        put(candidate)
    except OSError as error:
        typer.echo(f"{candidate.path}: not added: {error.strerror}", err=True)
        raise typer.Exit(1) from error


def _show(settings: DeskSettings, candidate: Candidate, *, aside: bool) -> None:
    """`aside`: prints on standard error, which a program does not read."""
    from desk.policy.backtesting import Asked, backtest
    from desk.policy.differences import differences
    from desk.policy.review import review
    from desk.policy.sheet import as_summary
    from desk.policy.wording import EDITS
    from desk.tables import joined

    with reaching_relay(), bar("Facts") as tell:
        report = asyncio.run(backtest(settings, Asked(candidate.terms, most=0), tell))
    found = differences(candidate.before, candidate.terms) or ["no term differs"]
    warnings = [f"warning: {remark.text}" for remark in review(candidate.terms)]
    past = candidate.terms.apply_to_past
    edits = f"{EDITS[past][0].upper()}{EDITS[past][1:]} (apply_to_past: {json.dumps(past)})."
    lines = ["", f"Against version {candidate.before.version}", *found, *warnings, "", edits]
    typer.echo(f"{as_summary(report)}\n{joined(lines)}", err=aside)


@applying.command()
def status(as_json: Json = False) -> None:
    """Says which version of the policy is in force, which are to come, and how far it has judged the leads.

    Example: baton policy status --json
    """
    from datetime import UTC, datetime

    from chassis.policy import load_policies
    from desk.lead.explanation import second
    from schemas.policy import Policy

    settings, now = DeskSettings.read(), datetime.now(UTC)
    with reaching_relay():
        policies = load_policies(settings.policies, Policy)
        current, revisions = policies.number_at(now), asyncio.run(_revisions(settings))
    parts = {part: _share(revision, current) for part, revision in revisions.items()}
    versions = {version.version: version.effective_from for version in policies.versions}
    if as_json:
        answer = {"policy": policies.folder.name, "in_force": current, "judged": parts}
        dates = {number: stamp(date) for number, date in versions.items()}
        typer.echo(json.dumps({**answer, "effective_from": dates}, indent=2))
        return
    typer.echo(f"Policy {policies.folder.name}, times in UTC")
    for number, date in versions.items():
        status = "replaced" if number < current else "to come" if number > current else _progress(parts)
        typer.echo(f"  version {number} from {second(date)} on: {status}")


async def _revisions(settings: DeskSettings) -> dict[int, Revision]:
    from desk.reading import one_instant, revisions

    async with one_instant(settings.database, "scorer") as (connection, _):
        return await revisions(connection)


def _share(revision: Revision, version: int) -> float:
    """The share of the partition's leads that the version has judged, 0 to 1: ids are hashes, so evenly spread."""
    if revision.version != version:
        return 1.0 if revision.version > version else 0.0
    return 1.0 if revision.until is None else int(revision.until[:8].ljust(8, "0"), 16) / 16**8


def _progress(parts: dict[int, float]) -> str:
    if not parts:
        return "in force; nobody has read a record yet"
    done = sum(share == 1 for share in parts.values())
    if done == len(parts):
        return "in force, every lead has been judged by it"
    share = sum(parts.values()) / len(parts)
    return f"in force, {done} of {len(parts)} partitions judged by it, {share:.0%} of the leads"
