"""Limits of a record's size."""

from __future__ import annotations

MAX_RECORD = 1024 * 1024
"""Most bytes of a record on an input topic. What is set aside includes it and the reason, and may be twice as large."""
MAX_EVENT = MAX_RECORD - 1024
"""Most bytes of an event: published again for another lead it is longer, and still has to fit."""
REJECTED = "events-rejected"


def dead_letter_topic(topic: str) -> str:
    """The topic for records of `topic` that can never be accepted."""
    return f"{topic}-dlq"


def record_limit(topic: str) -> int:
    """Most bytes of a record of the topic, counted as the broker does: in a batch of its own."""
    return 2 * MAX_RECORD if topic == REJECTED or topic.endswith(dead_letter_topic("")) else MAX_RECORD
