"""Creates the topics of the wiring table."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka has no types of its own.

from __future__ import annotations

from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from baton_local.errors import LocalError
from schemas.topics import TOPICS

PARTITIONS = 4
"""Partitions of every topic locally; the same for all, since partition p of all topics has the same people."""

TOPIC_ALREADY_EXISTS = 36


async def create_topics(bootstrap_servers: str, prefix: str = "") -> None:
    """Every topic exists on return; existing ones are unchanged."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        wanted = [
            NewTopic(prefix + topic.name, PARTITIONS, 1, topic_configs=dict(topic.config)) for topic in TOPICS.values()
        ]
        answer: Any = await admin.create_topics(wanted, timeout_ms=30_000)
    finally:
        await admin.close()
    for name, code, *message in answer.topic_errors:
        if code not in {0, TOPIC_ALREADY_EXISTS}:
            raise LocalError(f"The topic {name} could not be created: {for_code(code).__name__} {message}.")
