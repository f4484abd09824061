"""How large a record may be."""

from __future__ import annotations

MAX_RECORD = 1024 * 1024
"""Bytes of a record on an input topic; what is set aside is carried whole with its reason, and may be twice that."""
REJECTED = "events-rejected"


def dead_letter_topic(topic: str) -> str:
    """Where records of `topic` go that can never be accepted."""
    return f"{topic}-dlq"


def record_limit(topic: str) -> int:
    """Bytes that a record of the topic may have, counted as the broker does: in a batch of its own."""
    return 2 * MAX_RECORD if topic == REJECTED or topic.endswith(dead_letter_topic("")) else MAX_RECORD
