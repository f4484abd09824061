"""Makes a draft the next version in the policy's folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import yaml

from chassis.policy import Policies, PolicyError, load_version
from schemas.policy import Policy

AHEAD = timedelta(minutes=1)
"""Least time from a version's arrival in the folder to its date: every instance has read it by then."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """The draft as the folder's next version: its terms, its text, and the version before."""

    path: Path
    text: str
    terms: Policy
    before: Policy


def candidate_of(draft: Path, policies: Policies[Policy], date: datetime) -> Candidate:
    """The draft with the folder's name, the next number and `date`; all else stays as it was written.

    Raises PolicyError for a draft that is no policy, and for a date not after that of the version before.
    """
    load_version(draft, Policy)
    last = policies.versions[-1]
    if date <= last.effective_from:
        raise PolicyError(
            [f"expected an instant after {last.effective_from.isoformat()}, from when on version {last.version} is"]
        )
    path = policies.folder / f"{last.version + 1}.yaml"
    text = _with_header(
        draft.read_text("utf-8"), policy=last.policy, version=path.stem, effective_from=date.isoformat()
    )
    with TemporaryDirectory() as folder:
        beside = Path(folder) / path.name
        beside.write_text(text, "utf-8")
        return Candidate(path, text, load_version(beside, Policy).version, last)


def put(candidate: Candidate) -> None:
    """Adds the version to the folder, completely or not at all. Raises FileExistsError when another one came first."""
    # one for each run, or two at once would write into each other's; not named as a version, so nobody reads it as one
    beside = candidate.path.with_suffix(f".{uuid4().hex}.draft")
    try:
        with beside.open("x", encoding="utf-8") as file:
            file.write(candidate.text)
            file.flush()
            os.fsync(file.fileno())
        candidate.path.hardlink_to(beside)
    finally:
        beside.unlink(missing_ok=True)


def _with_header(text: str, **header: str) -> str:
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)  # noqa: S101 - it has been read as a policy
    values = {key.value: value for key, value in root.value}
    for name in sorted(header, key=lambda name: values[name].start_mark.index, reverse=True):
        start, end = values[name].start_mark.index, values[name].end_mark.index
        text = text[:start] + header[name] + text[end:]
    return text
