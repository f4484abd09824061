"""What is read of a body that is not quite JSON."""

import json
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.http import originals
from ingest.http.lenient import HALF, MOST_MENDED, NOT_FINITE, loads

BAD = [
    (rb'"a\ud83d"', "a\ufffd", {HALF: 1}),
    (rb'"\uDE00a\ud83d\ud83d\ude00"', "\ufffda\ufffd\U0001f600", {HALF: 2}),
    (rb'"\\ud83d\\\ud83d\\\\\ud83d"', "\\ud83d\\\ufffd\\\\\ufffd", {HALF: 2}),
    (rb'"\\ud83d\ude00"', "\\ud83d\ufffd", {HALF: 1}),
    (b'"\xc3"', "\ufffd", {HALF: 1}),
    (b'"\xef\xbf\xbd\xff"', "\ufffd\ufffd", {HALF: 1}),
    (b'"a\n\tb"', "a\n\tb", {}),
    (b'{"a":NaN,"b":[Infinity,-Infinity,1e400,-1e400]}', {"a": None, "b": [None] * 4}, {NOT_FINITE: 5}),
    (b"9" * 5000, None, {NOT_FINITE: 1}),
    (rb'{"\ud800":1}', {"\ufffd": 1}, {HALF: 1}),
]


@pytest.mark.parametrize(("body", "value", "mended"), BAD, ids=range(len(BAD)))
def test_one_bad_value_is_mended_and_counted(body: bytes, value: object, mended: dict[str, int]) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body)
    assert loads(body) == (value, mended)


@pytest.mark.parametrize(
    "body",
    [b"", b"user=1", b'{"a":1', b"{'a':1}", b'{"a":1,}', b"[01]", b'{"a":+1}', rb'"\x"', b"nan", b'"a" NaN'],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(body)


@pytest.mark.parametrize("bad", [b"NaN", rb'"\ud800"', b'"\xff"'])
def test_only_so_many_values_are_mended(bad: bytes) -> None:
    assert loads(b"[" + b",".join([bad] * MOST_MENDED) + b"]")[1].total() == MOST_MENDED
    with pytest.raises(ValueError, match="more than"):
        loads(b"[" + b",".join([bad] * (MOST_MENDED + 1)) + b"]")


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 200_000])
def test_depth_is_bounded(body: bytes) -> None:
    with pytest.raises(RecursionError):
        loads(body)


@pytest.mark.parametrize("part", [rb"\n", rb"\\", rb"\ud83d\ude00", rb"\\ud83d"])
def test_a_long_text_takes_time_by_its_length(part: bytes) -> None:
    started = time.perf_counter()
    loads(b'["' + part * (400_000 // len(part)) + b'",NaN]')
    assert time.perf_counter() - started < 2  # by the square of its length it takes minutes


edges = st.sampled_from([0, 1, -1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**25])
scalars = st.none() | st.booleans() | edges | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)


@given(values, st.booleans())
def test_what_is_json_is_read_as_the_strict_parser_reads_it(value: Any, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert loads(body) == (orjson.loads(body), {})


@pytest.mark.parametrize("item", [body for body, _, _ in BAD] + [b'{"a":"\xff"}', b"9" * 5000], ids=str)
def test_a_bad_items_own_bytes_are_found_between_good_ones(item: bytes) -> None:
    body = b'\xef\xbb\xbf {"x":[NaN], "batch" : [{"a":1} , ' + item + b',"\\ud800"], "writeKey":"k\xff"}'
    assert originals.of_batch(body, "batch") == [b'{"a":1}', item, b'"\\ud800"']
    assert (
        originals.of_call(b'{"a": ' + item + b' ,"writeKey":NaN,\n"b":1}', ("writeKey",))
        == b'{"a": ' + item + b',"b":1}'
    )
