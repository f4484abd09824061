"""An event told for another lead: however it comes to that lead, it is one fact."""

import json
from datetime import timedelta

import pytest

from schemas.engagements import EngagementRecorded
from schemas.envelope import Decoder, Fact, UnknownEvent, forwarded
from schemas.identity import lead_id_of
from tests.builders import LEAD, NOON, an_engagement

ADA, EVE = (lead_id_of(email=f"{name}@example.com") for name in ("ada", "eve"))
DECODER = Decoder(EngagementRecorded)


def read(lead: str, value: bytes) -> Fact:
    return DECODER.fact(lead.encode(), value, NOON + timedelta(hours=2))


@pytest.mark.parametrize("final", [False, True])
def test_a_copy_is_the_fact_that_the_lead_would_have_of_its_own(final: bool) -> None:
    event = an_engagement(subject=LEAD, properties={"n": 1.0, "big": 2**70, "text": "é"}).model_copy(
        update={"finaltime": final, "occurredat": NOON if final else None}
    )
    first = read(LEAD, event.encode())
    copy = read(ADA, forwarded(first, ADA))
    own = read(ADA, event.model_copy(update={"subject": ADA}).encode())
    assert (copy.key, copy.time, copy.fingerprint) == (own.key, own.time, own.fingerprint)
    assert json.loads(copy.value)["data"] == json.loads(event.encode())["data"]
    further = read(EVE, forwarded(copy, EVE))
    assert (further.time, json.loads(further.value)["via"]) == (first.time, ADA), "via whom it came last"


@pytest.mark.parametrize("extra", ['"weight":1e999', '"weight":NaN', '"weight":[-Infinity]'])
def test_a_number_that_is_none_in_json_does_not_stop_a_copy(extra: str) -> None:
    value = an_engagement(subject=LEAD).encode()[:-1] + f",{extra}}}".encode()
    copy = read(ADA, forwarded(read(LEAD, value), ADA))
    assert json.loads(copy.value)["weight"] in (None, [None])


def test_what_this_version_does_not_know_is_passed_on() -> None:
    novel = {"type": "baton.lead.novel.v1", "later": [1], "data": {"x": 2}}
    body = json.loads(an_engagement(subject=LEAD).encode()) | novel
    first = read(LEAD, json.dumps(body).encode())
    assert isinstance(first.event, UnknownEvent)
    copy = json.loads(forwarded(first, ADA))
    assert (copy["later"], copy["data"], copy["subject"]) == ([1], {"x": 2}, ADA)
