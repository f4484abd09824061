"""Policies: a folder of versions, `<version>.yaml` each; a version is in force from its date until the next one's.

All that is wrong with a folder is reported at once: file, line, field, and what was expected.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError
from yaml.nodes import MappingNode, Node, SequenceNode


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
    documents = [_Document(folder / name) for name in expected if name in names]
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
    document, problems = _Document(path), list[str]()
    version = document.read(TypeAdapter(model), problems)
    if version is None:
        raise PolicyError(problems)
    return Located(version, document.problem)


def _check_names(document: _Document, version: Versioned, problems: list[str]) -> None:
    if version.policy != document.path.parent.name:
        problems.append(document.problem(("policy",), f"expected the folder's name, {document.path.parent.name!r}"))
    if str(version.version) != document.path.stem:
        problems.append(document.problem(("version",), f"expected the file's name, {document.path.stem}"))


class _UnneededError(Exception):
    """YAML that no policy needs."""

    def __init__(self, what: str, mark: yaml.Mark) -> None:
        super().__init__(f"{what}; write the value out instead")
        self.line = mark.line + 1


class _Loader(yaml.SafeLoader):
    """Refuses aliases, by which a few lines expand to gigabytes, and merge keys. Raises _UnneededError."""

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise _UnneededError(f"an alias, *{event.anchor}, is not allowed", event.start_mark)
        return super().compose_node(parent, index)

    def flatten_mapping(self, node: MappingNode) -> None:
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise _UnneededError("a merge key, <<, is not allowed", key.start_mark)
        super().flatten_mapping(node)


class _Document:
    """One file: its data and the line of each field."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._root: Node | None = None

    def read(self, adapter: TypeAdapter[P], problems: list[str]) -> P | None:
        """The version in the file; None, with the reasons added to `problems`, where there is none."""
        try:
            loader = _Loader(self.path.read_text("utf-8"))
            self._root = loader.get_single_node()
            doubled = list(_doubled(self._root, ()))
            data = None if self._root is None or doubled else loader.construct_document(self._root)
        except _UnneededError as error:
            problems.append(f"{self.path}:{error.line}: {error}")
            return None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problems.append(f"{self.path}:{mark.line + 1 if mark else 1}: not YAML: {error.problem}")
            return None
        except (OSError, ValueError, LookupError, AttributeError, RecursionError, yaml.YAMLError) as error:
            problems.append(f"{self.path}:1: cannot be read as YAML: {type(error).__name__}")
            return None
        if doubled:
            problems.extend(self.problem(place, "stands here a second time; expected once") for place in doubled)
            return None
        try:
            return adapter.validate_python(data)
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False, include_input=False)
            problems.extend(self.problem(detail["loc"], detail["msg"]) for detail in details)
            return None

    def problem(self, place: tuple[int | str, ...], message: str) -> str:
        """The message with file, line and path of the field; a missing field has the line of its parent."""
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
        return f"{self.path}:{self._line(place)}: {path or 'the document'}: {message}"

    def _line(self, place: tuple[int | str, ...]) -> int:
        if self._root is None:
            return 1
        node, line = self._root, self._root.start_mark.line
        for part in place:
            step = _step(node, part)
            if step is None:
                break
            key, node = step
            line = key.start_mark.line
        return int(line) + 1


def _step(node: Node, part: int | str) -> tuple[Node, Node] | None:
    """The key and the node of `part` in this node; of a doubled key the last one."""
    if isinstance(node, MappingNode):
        found = [(key, value) for key, value in node.value if key.value == part]
        return found[-1] if found else None
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def _doubled(node: Node | None, place: tuple[int | str, ...]) -> list[tuple[int | str, ...]]:
    """The paths of keys that a mapping has more than once; YAML itself would silently take the last one."""
    found: list[tuple[int | str, ...]] = []
    if isinstance(node, MappingNode):
        keys = Counter(str(key.value) for key, _ in node.value)
        found.extend((*place, key) for key, count in sorted(keys.items()) if count > 1)
        for key, value in node.value:
            found.extend(_doubled(value, (*place, str(key.value))))
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            found.extend(_doubled(value, (*place, index)))
    return found
