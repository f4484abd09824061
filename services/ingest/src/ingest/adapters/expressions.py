"""JMESPath expressions in files that people write: compiled once, checked before the first item comes.

Besides JMESPath's own functions there is `instant(number, unit)`, unit 's', 'ms', 'us' or 'ns': the ISO 8601 time of so
many since 1970. Of null it is null.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import jmespath
from jmespath import exceptions, functions
from pydantic import PlainValidator

from schemas.envelope import Refused

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = {"s": 10**6, "ms": 10**3, "us": 1, "ns": 10**-3}
"""Microseconds of each unit."""


class _Functions(functions.Functions):
    @functions.signature({"types": ["number", "null"]}, {"types": ["string"]})
    def _func_instant(self, number: float | None, unit: str) -> str | None:
        if number is None:
            return None
        try:
            return (_EPOCH + timedelta(microseconds=number * _UNITS[unit])).isoformat()
        except (KeyError, OverflowError, ValueError) as error:
            raise Refused("bad_time", f"instant(): no number of {'/'.join(_UNITS)} that is a time") from error


_OPTIONS = jmespath.Options(custom_functions=_Functions())


class Expression:
    """A JMESPath expression."""

    def __init__(self, text: str) -> None:
        """Raises ValueError with a sentence for people."""
        try:
            self._parsed = jmespath.compile(text)
        except exceptions.JMESPathError as error:
            column = getattr(error, "lex_position", None)
            where = "" if column is None else f" at character {column + 1}"
            raise ValueError(f"not a JMESPath expression{where} (a text stands in quotes, as 'text')") from error
        for name in _called(self._parsed.parsed):
            if name not in _Functions.FUNCTION_TABLE:
                raise ValueError(f"{name}() is no function of JMESPath, nor is it instant()")

    def of(self, value: object, place: str) -> Any:
        """What the expression finds in the value. Raises Refused, naming the expression by its `place`."""
        try:
            return self._parsed.search(value, options=_OPTIONS)
        except Refused:
            raise
        except Exception as error:
            raise Refused("bad_item", f"{place}: the expression fails, {type(error).__name__}") from error


def _called(node: Any) -> Iterator[str]:
    """The names of all functions in a parsed expression."""
    if node["type"] == "function_expression":
        yield node["value"]
    for child in node["children"]:
        if isinstance(child, dict):  # those of a slice are its bounds
            yield from _called(child)


def _expression(value: object) -> Expression:
    if not isinstance(value, str):
        message = "a JMESPath expression is wanted; a constant stands in quotes, as 'text', or in backticks, as `1`"
        raise ValueError(message)  # noqa: TRY004 - pydantic makes a problem of this one only
    return Expression(value)


Jmes = Annotated[Expression, PlainValidator(_expression)]
"""A field of a file that holds an expression."""
