"""Policies: a folder of versions, `<version>.yaml` each; a version is in force from its date until the next one's.

All that is wrong with a folder is reported at once: file, line, field, and what was expected.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from pydantic import TypeAdapter

from chassis.documents import Document


class Versioned(Protocol):
    """The header of every policy version."""

    @property
    def policy(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def effective_from(self) -> datetime: ...
    @property
    def digest(self) -> str:
        """Of the terms: other terms have another digest."""
        ...


P = TypeVar("P", bound=Versioned)


class PolicyError(Exception):
    """The policies cannot be used; one line for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(slots=True)
class Policies(Generic[P]):
    """All versions of one policy, the oldest first; none by default. Versions never change, later ones may be added."""

    folder: Path = Path()
    versions: tuple[P, ...] = ()
    model: type[P] | None = None

    def at(self, instant: datetime) -> P:
        """The version in force at `instant`. Raises PolicyError before the first one is."""
        index = self.number_at(instant)
        if not index:
            first = self.versions[0].effective_from.isoformat()
            raise PolicyError(
                [f"{self.folder}: no version is in force at {instant.isoformat()}, the first one is from {first} on"]
            )
        return self.versions[index - 1]

    def number_at(self, instant: datetime) -> int:
        """The number of the version in force at `instant`, 0 before the first one is."""
        if self.versions and self.versions[-1].effective_from <= instant:  # true for nearly every event
            return len(self.versions)
        return bisect_right(self.versions, instant, key=lambda version: version.effective_from)

    def found_now(self) -> Policies[P]:
        """The versions that the folder has now; those known where there is no folder. Raises PolicyError."""
        return load_policies(self.folder, self.model) if self.model else self

    def join(self, found: Policies[P]) -> bool:
        """Adds the versions that only `found` has; False if it has none. Raises PolicyError if a known one differs."""
        known = len(self.versions)
        if [each.digest for each in found.versions[:known]] != [each.digest for each in self.versions]:
            raise PolicyError([f"{self.folder}: a version that judges already was changed or taken away; add one"])
        self.versions = found.versions
        return len(found.versions) > known


@dataclass(frozen=True, slots=True)
class Located(Generic[P]):
    """A version, and `located`, which puts file, line and field before a message about a field."""

    version: P
    located: Callable[[tuple[int | str, ...], str], str]


def load_policies(folder: Path, model: type[P]) -> Policies[P]:
    """The versions in `folder`, each validated as `model`, a pydantic model.

    Raises PolicyError unless the files are named 1.yaml, 2.yaml, ... without a gap, each has its own number and the
    folder's name, and the dates rise.
    """
    if not folder.is_dir():
        raise PolicyError([f"{folder}: is no folder; expected one that holds a policy's versions, 1.yaml and up"])
    names = {path.name for path in folder.iterdir() if path.suffix in (".yaml", ".yml")}
    if not names:
        raise PolicyError([f"{folder}: holds no policy; expected its first version in 1.yaml"])
    expected = [f"{version}.yaml" for version in range(1, len(names) + 1)]
    odd = sorted(names.difference(expected), key=lambda name: (len(name), name))
    problems = [f"{folder / name}: expected versions to be named 1.yaml, 2.yaml, ... without a gap" for name in odd]
    documents = [Document(folder / name) for name in expected if name in names]
    adapter = TypeAdapter(model)
    read = [(document, version) for document in documents if (version := document.read(adapter, problems)) is not None]
    for document, version in read:
        _check_names(document, version, problems)
    for (_, before), (document, after) in pairwise(read):
        if after.effective_from <= before.effective_from:
            wanted = f"expected an instant after {before.effective_from.isoformat()}, version {before.version}'s"
            problems.append(document.problem(("effective_from",), wanted))
    if problems:
        raise PolicyError(problems)
    return Policies(folder, tuple(version for _, version in read), model)


def load_version(path: Path, model: type[P]) -> Located[P]:
    """The version in the file, whatever the names of file and folder. Raises PolicyError."""
    document, problems = Document(path), list[str]()
    version = document.read(TypeAdapter(model), problems)
    if version is None:
        raise PolicyError(problems)
    return Located(version, document.problem)


def _check_names(document: Document, version: Versioned, problems: list[str]) -> None:
    if version.policy != document.path.parent.name:
        problems.append(document.problem(("policy",), f"expected the folder's name, {document.path.parent.name!r}"))
    if str(version.version) != document.path.stem:
        problems.append(document.problem(("version",), f"expected the file's name, {document.path.stem}"))
