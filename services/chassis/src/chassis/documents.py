"""Files that people write: YAML read with the line of each field, so that all that is wrong is reported at once.

Each problem is one line: file, line, field, and what was expected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError
from yaml.nodes import MappingNode, Node, SequenceNode

T = TypeVar("T")


class BadDocument(Exception):  # noqa: N818 - what happened, in the domain's words
    """The file cannot be used; one line for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def read_document(path: Path, model: type[T]) -> T:
    """The file, validated as `model`, a pydantic model. Raises BadDocument."""
    document, problems = Document(path), list[str]()
    value = document.read(TypeAdapter(model), problems)
    if value is None:
        raise BadDocument(problems)
    return value


class _UnneededError(Exception):
    """YAML that no file of ours needs."""

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


class Document:
    """One file: its data and the line of each field."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._root: Node | None = None

    def read(self, adapter: TypeAdapter[T], problems: list[str]) -> T | None:
        """What the file has, validated; None, with the reasons added to `problems`, where there is none."""
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
