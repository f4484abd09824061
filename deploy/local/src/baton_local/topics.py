"""Creates the topics of the wiring table."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka has no types of its own.

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from baton_local.errors import LocalError
from schemas.topics import TOPICS

PARTITIONS = 4
"""Partitions of every topic locally; the same for all, since partition p of all topics has the same people."""

APPENDED = {"message.timestamp.type": "LogAppendTime"}
"""An inbox's own configuration: the receipt of a record is then known."""
TOPIC_ALREADY_EXISTS = 36


async def create_topics(bootstrap_servers: str, prefix: str = "", inboxes: Iterable[str] = ()) -> None:
    """Every topic exists on return, and those of `inboxes`; existing ones are unchanged."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        configs = {topic.name: topic.config for topic in TOPICS.values()} | dict.fromkeys(inboxes, APPENDED)
        wanted = [
            NewTopic(prefix + name, PARTITIONS, 1, topic_configs=dict(config)) for name, config in configs.items()
        ]
        answer: Any = await admin.create_topics(wanted, timeout_ms=30_000)
    finally:
        await admin.close()
    for name, code, *message in answer.topic_errors:
        if code not in {0, TOPIC_ALREADY_EXISTS}:
            raise LocalError(f"The topic {name} could not be created: {for_code(code).__name__} {message}.")
