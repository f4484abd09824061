"""The verbs that put a policy into force and say how far that has come."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chassis.commands import INSTANTS, bar, confirm, instant_named, plainly
from scorer.settings import Settings

if TYPE_CHECKING:
    from chassis.partition.journal import Revision
    from chassis.policy import Policies
    from schemas.policy import Policy
    from scorer.candidate import Candidate

applying = typer.Typer()


@applying.command()
def apply(
    draft: Annotated[
        Path, typer.Argument(help="The draft, one YAML file.", show_default=False, exists=True, dir_okay=False)
    ],
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="INSTANT", help=f"From when on it is in force, else in two minutes: {INSTANTS}."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Adds a draft to the live policy's folder as its next version, after showing what that would change.

    The draft's own name, number and date are replaced. The running services find the version within seconds; at its
    date each partition's worker judges its leads by it and publishes each score that changes by a point, or in what
    the gate reads, once, wherever it is interrupted. No lead passes the gate by it alone unless it says
    `apply_to_past: true`.

    Exits with 0, with 1 when it was not put into force, with 2 for a draft or an instant that is wrong.
    """
    from chassis.policy import load_policies
    from schemas.policy import Policy
    from scorer.rules.explanation import second

    settings = Settings.read()
    with plainly():
        policies = load_policies(settings.policies, Policy)
    _show(settings, _candidate(draft, policies, at))
    candidate = _candidate(draft, policies, at)  # anew: reading all facts may have taken longer than its date was ahead
    terms = candidate.terms
    name = f"version {terms.version} of {terms.policy}, in force from {second(terms.effective_from)} UTC on"
    confirm(f"Make it {name}?", yes=yes)
    _put(candidate)
    typer.echo(f"{candidate.path} is {name}; `scorer policy status` says how far it has come.")


def _candidate(draft: Path, policies: Policies[Policy], at: str | None) -> Candidate:
    """Ends the command with 2 for a draft or an instant that is wrong."""
    from datetime import UTC, datetime

    from chassis.policy import PolicyError
    from scorer.candidate import AHEAD, candidate_of

    now = datetime.now(UTC)
    date = (now + 2 * AHEAD).replace(microsecond=0) if at is None else instant_named(at, "--at")
    if date < now + AHEAD:
        raise typer.BadParameter("expected an instant at least a minute from now", param_hint="--at")
    try:
        return candidate_of(draft, policies, date)
    except PolicyError as error:
        typer.echo(f"The draft cannot be applied:\n{error}", err=True)
        raise typer.Exit(2) from error


def _put(candidate: Candidate) -> None:
    """Ends the command with 1 where the version cannot be added any more."""
    from datetime import UTC, datetime

    from scorer.candidate import put

    if candidate.terms.effective_from < datetime.now(UTC):
        typer.echo("Nothing was changed: its date has passed meanwhile. Run it again.", err=True)
        raise typer.Exit(1)
    try:
        put(candidate)
    except OSError as error:
        typer.echo(f"{candidate.path}: not added: {error.strerror}", err=True)
        raise typer.Exit(1) from error


def _show(settings: Settings, candidate: Candidate) -> None:
    from chassis.tables import plain
    from scorer.backtest import Asked, backtest
    from scorer.rules.words.differences import differences
    from scorer.rules.words.review import review
    from scorer.rules.words.wording import EDITS
    from scorer.sheet import as_summary

    with plainly(), bar("Facts") as tell:
        report = asyncio.run(backtest(settings, Asked(candidate.terms, most=0), tell))
    found = differences(candidate.before, candidate.terms) or ["no term differs"]
    warnings = [f"warning: {remark.text}" for remark in review(candidate.terms)]
    edits = EDITS[candidate.terms.apply_to_past]
    told = [as_summary(report), "", f"Against version {candidate.before.version}", *found, *warnings, ""]
    typer.echo(plain("\n".join((*told, f"{edits[0].upper()}{edits[1:]} (apply_to_past)."))))


@applying.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False) -> None:
    """Says which version of the policy is in force, which are to come, and how far it has judged the leads."""
    from datetime import UTC, datetime

    from chassis.policy import load_policies
    from schemas.policy import Policy
    from scorer.rules.explanation import second

    settings, now = Settings.read(), datetime.now(UTC)
    with plainly():
        policies = load_policies(settings.policies, Policy)
        current, revisions = policies.number_at(now), asyncio.run(_revisions(settings))
    parts = {part: _share(revision, current) for part, revision in revisions.items()}
    versions = {version.version: version.effective_from for version in policies.versions}
    if as_json:
        told = {"policy": policies.folder.name, "in_force": current, "judged": parts}
        dates = {number: date.isoformat() for number, date in versions.items()}
        typer.echo(json.dumps({**told, "effective_from": dates}, indent=2))
        return
    typer.echo(f"Policy {policies.folder.name}, times in UTC")
    for number, date in versions.items():
        standing = "replaced" if number < current else "to come" if number > current else _progress(parts)
        typer.echo(f"  version {number} from {second(date)} on: {standing}")


async def _revisions(settings: Settings) -> dict[int, Revision]:
    from chassis.reading import reading, revisions

    async with reading(settings.database, "scorer") as connection:
        return await revisions(connection)


def _share(revision: Revision, version: int) -> float:
    """Of the partition's leads those that the version has judged, between 0 and 1: ids are hashes, so evenly spread."""
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
