"""Reads single JSON fields from strangers: each function returns a value of the wanted type or raises Refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

from schemas.envelope import Refused
from schemas.spelling import given

Table = Mapping[str, object]
Scalar = str | int | float | bool

_NUMBERS_AND_TEXTS = (int, float, str)
"""A tuple: the union `int | float | str` would be built for each field of each event."""
MAX_TEXT = 1024
"""The contract's limit of a text, in characters; a property is cut there, an attribute refused."""
MAX_PROPERTIES = 50
MAX_NAME = 255

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OTHER = re.compile(r"[^a-z0-9]+")
_FLAGS: Final[Mapping[object, bool]] = {
    **dict.fromkeys((True, "true", "1", "yes", "y", "on"), True),
    **dict.fromkeys((False, "false", "0", "no", "n", "off"), False),
}
_EPOCH = re.compile(r"(?:[0-9]{10}|([0-9]{13}))(?:\.[0-9]+)?")
"""Seconds (10 digits before the point) or milliseconds (13, the group) since 1970, from 2001 to 2286."""
_START = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = re.compile(r"[0-9W-]+")
"""A date without a time of day."""
NO_ZONE: Final = timezone(timedelta(0), "no zone")
"""The zone of a time that came without one, and was read as UTC."""


def value_of(of: Table, name: str) -> object | None:
    """The field called `name`; None where it is absent. An empty object is absent, and so is PHP's, a list."""
    value = given(of.get(name))
    return None if value in ([], {}) else value


def table(of: Table, name: str) -> Table:
    """The object called `name`; empty where it is absent."""
    value = value_of(of, name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused("bad_item", f"{name}: not an object")
    return value


def text(of: Table, *names: str) -> str | None:
    """The first field that is present; a number is read as its digits."""
    for name in names:
        value = value_of(of, name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, _NUMBERS_AND_TEXTS):
            raise Refused("bad_item", f"{name}: not a text")
        return str(value)
    return None


def flag(of: Table, name: str) -> bool:
    """A truth value as senders write it; absent is false. Raises Refused for one that is not understood."""
    if name not in of or (value := value_of(of, name)) is None:
        return False
    word = value.lower() if isinstance(value, str) else value
    if not isinstance(word, _NUMBERS_AND_TEXTS) or word not in _FLAGS:
        raise Refused("bad_item", f"{name}: neither true nor false")
    return _FLAGS[word]


def instant(of: Table, *names: str) -> datetime | None:
    """The first field that is present, as an instant; in NO_ZONE if it has no zone. Raises Refused `bad_time`."""
    for name in names:
        value = value_of(of, name)
        if value is None:
            continue
        try:
            time = datetime.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            time = None
        if time is None or time.tzinfo is None:
            time = _epoch(value) or _without_zone(value, time)
        if time is None:
            raise Refused("bad_time", f"{name}: not an ISO 8601 time, nor seconds or milliseconds since 1970")
        return time
    return None


def hint(of: Table, name: str) -> datetime | None:
    """An optional instant: None for one that cannot be read."""
    try:
        return instant(of, name)
    except Refused:
        return None


def as_sent(time: datetime) -> str:
    """The instant as text, without a zone where it came without."""
    return (time.replace(tzinfo=None) if time.tzinfo is NO_ZONE else time).isoformat()


def _epoch(value: object) -> datetime | None:
    found = _EPOCH.fullmatch(str(value)) if isinstance(value, _NUMBERS_AND_TEXTS) else None
    if found is None:
        return None
    since = float(found[0])
    return _START + (timedelta(milliseconds=since) if found[1] else timedelta(seconds=since))


def _without_zone(value: object, time: datetime | None) -> datetime | None:
    """None for a date without a time of day too."""
    return None if time is None or _DAY.fullmatch(str(value)) else time.replace(tzinfo=NO_ZONE)


@lru_cache(maxsize=4096)
def word(name: str) -> str:
    """A name in the spelling of policies: "Content Downloaded", "contentDownloaded" -> content_downloaded. May be
    empty.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return _OTHER.sub("_", _CAMEL.sub("_", plain).lower()).strip("_")


def scalars(properties: Table, apart: Iterable[str]) -> tuple[dict[str, Scalar], int]:
    """The scalar properties that are present, sorted by name and cut to size, and how many others there were.

    Those named by `apart` are in neither: they are read elsewhere.
    """
    kept: dict[str, Scalar] = {}
    dropped = 0
    for name in sorted(properties):
        value = properties[name]
        if given(value) is None or name in apart:
            continue
        if len(kept) < MAX_PROPERTIES and len(name) <= MAX_NAME and isinstance(value, _NUMBERS_AND_TEXTS):
            kept[name] = value[:MAX_TEXT] if isinstance(value, str) else value
        else:
            dropped += 1
    return kept, dropped
