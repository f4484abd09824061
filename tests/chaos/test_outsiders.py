"""What the chaos suite calls hostile is refused by the contract, one record after another."""

import json
import random
from datetime import UTC, datetime

import pytest

from schemas.envelope import Decoder, Refused, effective_time
from schemas.topics import TOPICS
from tests.chaos.outsiders import TEMPLATES, good, hostile, stranger

LEAD = stranger(random.Random(1))


@pytest.mark.parametrize("topic", TEMPLATES)
def test_the_template_is_accepted_and_every_hostile_record_is_refused(topic: str) -> None:
    decoder, now = Decoder(*TOPICS[topic].events), datetime.now(UTC)
    effective_time(decoder.event(json.dumps(good(topic, LEAD, "1")).encode()), now)
    for value in hostile(topic, LEAD, "1"):
        with pytest.raises(Refused):
            effective_time(decoder.event(value), now)
