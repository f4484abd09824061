"""Records that an outsider may write on any input topic: hostile, and mostly decodable.

Made from the contract's examples by changing leaves to the extremes of their type, and by what only JSON text can have:
doubled keys, deep nesting, odd escapes. Whatever a decoder accepts must be harmless to all rules.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from schemas.topics import TOPICS

EXAMPLES = Path(__file__).parents[1] / "schemas" / "examples"
TEXTS = (
    *("", " ", "null", "'; DROP TABLE fact; --", '"', "\\", "\\u0000", "\0", "a\0b", "\x7f\x85\u2028", "\u202egnp.exe"),
    *("\ufeff", "\ufffe", "e\u0301" * 9, "\U0001f9d1\u200d\U0001f680" * 300, "x" * 1024, "x" * 1025, "%s{}$1", "*"),
    *("baton.x\0.v1", "baton.x.v1", "baton.lead.erased.v2", "time", "policy", "band:mql", "1e400", "../../etc"),
)
NUMBERS = (
    *(0, -0.0, 1, -1, 0.5, 5e-324, 1e-9, 1.7976931348623157e308, -1.7976931348623157e308, 1e15, 1e9, -1e9, 1e16),
    *(2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 10**30, 10**400, 10_000_000, 10_000_001),
)
OFFSETS = ("Z", "+00:00", "-00:00", "+23:59", "-23:59", "+14:00", "+00:01")
INSTANTS = (
    *("0001-01-01T00:00:00", "1969-12-31T23:59:59.999999", "1970-01-01T00:00:00", "1970-01-01T23:59:00"),
    *("1999-12-31T23:59:60", "2024-02-29T12:00:00", "2199-12-31T23:59:59.999999", "2200-01-01T00:00:00"),
    *("2200-01-01T00:00:01", "9999-12-31T23:59:59.999999", "10000-01-01T00:00:00"),
)


class Hostile(NamedTuple):
    """A record, and the topic that it is written to."""

    topic: str
    key: bytes | None
    value: bytes | None


@cache
def examples(topic: str) -> tuple[Mapping[str, Any], ...]:
    """The hand-written payloads of the topic's events."""
    names = {str(event.model_fields["type"].default).removeprefix("baton.") for event in TOPICS[topic].events}
    return tuple(
        json.loads(path.read_bytes()) for name in sorted(names) for path in sorted((EXAMPLES / name).iterdir())
    )


@cache
def instants(near: datetime) -> st.SearchStrategy[str]:
    """Times as senders write them: the calendar's ends, the contract's ends, and some about `near`."""
    extreme = st.builds("{}{}".format, st.sampled_from(INSTANTS), st.sampled_from(OFFSETS))
    about = st.timedeltas(-timedelta(days=89), timedelta(hours=23)).map(lambda ago: (near + ago).isoformat())
    return st.one_of(about, about, about, about, extreme)


def _rarely(draw: st.DrawFn, times: int) -> bool:
    """True once in `times`, chosen from the middle of the range: Hypothesis prefers its ends."""
    return draw(st.sampled_from(range(times))) == times // 2


@st.composite
def records(draw: st.DrawFn, topic: str, lead: str, near: datetime, known: Sequence[str] = ()) -> Hostile:
    """One record of the topic for the lead, with an id of its own or one of the `known`."""
    event = json.loads(json.dumps(draw(st.sampled_from(examples(topic)))))
    event |= {
        "subject": lead,
        "time": draw(instants(near)),
        "id": draw(st.uuids().map(str) | st.sampled_from(known or ("1",))),
    }
    event["source"] = draw(st.sampled_from(("s", "s'\"", "\U0001f9d1" * 255, "baton/scorer")))
    for name in ("occurredat", "sentat"):
        if _rarely(draw, 4):
            event[name] = draw(instants(near))
    for name in ("finaltime", "timetrusted"):
        if draw(st.booleans()):
            event[name] = draw(st.booleans())
    if _rarely(draw, 4):
        event |= {"time": draw(st.sampled_from(INSTANTS)) + draw(st.sampled_from(OFFSETS)), "finaltime": True}
    for _ in range(draw(st.sampled_from((0, 1, 1, 2, 3)))):
        _change(draw, event["data"], near)
    if _rarely(draw, 16):
        event["type"] = draw(st.sampled_from(TEXTS))
    if _rarely(draw, 16):
        event[draw(st.sampled_from((*event, "traceparent")))] = draw(_anything(near))
    key = lead.encode() if not _rarely(draw, 16) else draw(st.sampled_from((None, b"", b"\xff", b"k" * 300)))
    return Hostile(topic, key, draw(st.sampled_from((None, b""))) if _rarely(draw, 40) else _text(draw, event))


def _change(draw: st.DrawFn, data: Any, near: datetime) -> None:
    """Changes one leaf, or adds or takes a key, somewhere in the data."""
    if not isinstance(data, dict | list) or not data:
        return
    place = draw(st.sampled_from(sorted(data))) if isinstance(data, dict) else draw(st.integers(0, len(data) - 1))
    before = data[place]
    if isinstance(before, dict | list) and before and draw(st.integers(0, 4)):
        _change(draw, before, near)
    elif isinstance(data, dict) and (less := draw(st.sampled_from(range(12)))) in (5, 6):
        if less == 5:
            del data[place]
        else:
            data[draw(st.sampled_from(TEXTS))] = draw(_anything(near))
    else:
        data[place] = draw(_anything(near) if _rarely(draw, 4) else _alike(before, near))


def _alike(value: Any, near: datetime) -> st.SearchStrategy[Any]:
    """Another value of the same kind."""
    if isinstance(value, bool) or value is None:
        return st.booleans()
    if isinstance(value, int | float):
        return st.sampled_from(NUMBERS)
    if isinstance(value, str):
        return instants(near) if value[:2] == "20" and "T" in value else st.sampled_from(TEXTS)
    return st.just(value * 50 if isinstance(value, list) else value)


@cache
def _anything(near: datetime) -> st.SearchStrategy[Any]:
    leaf = st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.sampled_from(TEXTS) | instants(near)
    return leaf | st.just([]) | st.just({}) | st.sampled_from((50, 190, 250)).map(_nested)


def _nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = {"a": [value]}
    return value


def _text(draw: st.DrawFn, event: Mapping[str, Any]) -> bytes:
    """The event as JSON, in one of the ways that only a text can have."""
    text = json.dumps(event, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from((None, 1))))
    match draw(st.sampled_from(range(30))):
        case 11:  # a key twice, the last one hostile
            text = f'{text[:-1]}, "data": {json.dumps(draw(st.sampled_from(TEXTS)))}}}'
        case 12:
            text = f'{{"data": {{}}, "time": 1, "type": "baton.x.v1", {text[1:]}'
        case 13:
            text = text.replace("example", "\\ud800", 1)
        case 14:
            text = text.replace("example", "\\ud83e\\uddd1", 1)
        case 15:
            text = text.replace(": 0", ": 1e400", 1).replace(": 1", ": NaN", 1)
    return text.encode("utf-8", "surrogatepass")
