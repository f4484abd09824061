"""The verbs of `baton policy`: is a policy valid, what does it say, what does another one change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from desk.policy.applying import applying
from desk.policy.naming import PolicyArgument, policy_argument
from desk.settings import DeskSettings
from desk.terminal import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.policy import Located
    from schemas.policy import Policy

policy = typer.Typer(help="Checks, shows, compares and applies what marketing and sales agreed.", no_args_is_help=True)
policy.add_typer(applying)


@policy.command()
def validate(path: PolicyArgument, as_json: Json = False) -> None:
    """Says what is wrong with a policy, and warns of what is valid but probably a mistake.

    A file may have any name. Of a folder all versions are checked together, with warnings of those in force or to
    come. Exits with 1 if anything is wrong, and with 0 whatever the warnings.

    Example: baton policy validate deploy/policies/balanced/1.yaml
    """
    from chassis.policy import PolicyError
    from desk.policy.review import review
    from desk.tables import joined

    problems, warnings, summary = list[str](), list[str](), ""
    try:
        versions = _in_force_or_to_come(path) if path.is_dir() else [_candidate(path)]
    except PolicyError as error:
        problems.extend(error.problems)
    else:
        for found in versions:
            warnings.extend(found.located(remark.place, f"warning: {remark.text}") for remark in review(found.version))
        summary = "; ".join(_summary(found.version) for found in versions)
    if as_json:
        print(json.dumps({"valid": not problems, "problems": problems, "warnings": warnings}, indent=2))
    else:
        print(joined((*problems, *warnings, *([f"valid: {summary}"] if summary else []))))
    raise typer.Exit(1 if problems else 0)


@policy.command()
def show(
    path: Annotated[Path | None, policy_argument(more="; else the one in force")] = None, as_json: Json = False
) -> None:
    """Prints a policy in plain words, for people who have never seen Baton. Of a folder it is the version in force.

    Example: baton policy show balanced
    """
    from desk.policy.page import page
    from desk.tables import joined

    if path is None:
        path = DeskSettings.read().policies
    agreed = _agreed(path, exit_code=1)
    if as_json:
        print(json.dumps(agreed.model_dump(mode="json", by_alias=True, exclude_none=True), indent=2))
    else:
        print(joined(page(agreed).split("\n")))


@policy.command()
def diff(
    before: Annotated[Path, policy_argument("BEFORE")],
    after: Annotated[Path, policy_argument("AFTER")],
    as_json: Json = False,
) -> None:
    """Says in words what the second policy changes of the first. Of a folder it is the version in force.

    A changed reason (`because`) is printed too. Exits with 0 if no term differs, with 1 if one does, and with 2
    if a policy cannot be used.

    Example: baton policy diff classic-50 balanced
    """
    from desk.policy.differences import differences, reasons
    from desk.tables import joined

    was, now = (_agreed(path, exit_code=2) for path in (before, after))
    found, other = differences(was, now), reasons(was, now)
    if as_json:
        answer = {"before": was.ref.model_dump(), "after": now.ref.model_dump(), "differences": found, "reasons": other}
        print(json.dumps(answer, indent=2))
    else:
        same = "no difference of terms" if other else "no difference"
        print(joined((*(found or [same]), *other)))
    raise typer.Exit(1 if found else 0)


def _agreed(path: Path, exit_code: int) -> Policy:
    """The policy in the file, or the folder's version in force; ends the command where there is none."""
    from datetime import UTC, datetime

    from chassis.policy import PolicyError, load_policies, load_version
    from desk.tables import joined
    from schemas.policy import Policy

    try:
        if path.is_file():
            return load_version(path, Policy).version
        return load_policies(path, Policy).at(datetime.now(UTC))
    except PolicyError as error:
        typer.echo(joined(("The policy cannot be used:", *error.problems)), err=True)
        raise typer.Exit(exit_code) from error


def _candidate(path: Path) -> Located[Policy]:
    from chassis.policy import PolicyError, load_version
    from schemas.policy import Policy

    found = load_version(path, Policy)
    if path.stem.isdecimal() and path.stem != str(found.version.version):
        raise PolicyError([found.located(("version",), f"expected the file's name, {path.stem}")])
    return found


def _in_force_or_to_come(folder: Path) -> Sequence[Located[Policy]]:
    """The folder's versions, each with its place, but for those that later ones have replaced for good."""
    from datetime import UTC, datetime

    from chassis.policy import load_policies, load_version
    from schemas.policy import Policy

    versions, now = load_policies(folder, Policy).versions, datetime.now(UTC)
    past = sum(later.effective_from <= now for later in versions[1:])
    return [load_version(folder / f"{version.version}.yaml", Policy) for version in versions[past:]]


def _summary(agreed: Policy) -> str:
    counts = (("rule", agreed.scoring.rules), ("band", agreed.scoring.bands), ("clock", agreed.clocks))
    parts = ", ".join(f"{len(things)} {noun}{'' if len(things) == 1 else 's'}" for noun, things in counts)
    return f"{agreed.policy} version {agreed.version} from {agreed.effective_from.isoformat()} on: {parts}"
