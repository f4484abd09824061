"""A tracker that writes to a topic of its own instead of calling ingest, and the inbox that reads it."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka has no types of its own.

import json
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from tests.chaos.senders import Tracker
from tests.chaos.traffic import Doing, Message
from tests.infrastructure import Room
from tests.relay import ROOT
from tests.topics import Ends, admin, ends
from tests.until import until

INBOX = "inbox"
"""The process, and its consumer group."""
TOPIC = "chaos-calls"


class Writer(Tracker):
    """The tracker's calls as records, under keys that have nothing to do with the lead."""

    source: ClassVar[str] = "inbox/chaos"

    def message(self, doing: Doing) -> Message:
        return self._as_record(super().message(doing))

    def poisoned(self, doing: Doing) -> Message:
        return self._as_record(super().poisoned(doing))

    def _as_record(self, message: Message) -> Message:
        return replace(message, record_key=str(self._chance.random()), raw=json.dumps(message.content).encode())


def environment(folder: Path) -> dict[str, str]:
    """The settings of the inbox; its file is written to `folder`."""
    inbox = {"topic": TOPIC, "format": "segment", "source": "chaos", "class": "public"}
    (file := folder / "inboxes.yaml").write_text(json.dumps({"inboxes": [inbox]}))
    return {"BATON_INBOXES": str(file), "BATON_MAPPINGS": str(ROOT / "deploy/mappings")}


async def unread(room: Room, until_: Ends) -> int:
    """How many records of its topic before these ends the inbox has not committed."""
    async with admin(room.bootstrap_servers) as client:
        read = await client.list_consumer_group_offsets(room.prefix + INBOX)
    committed = {tuple(place): offset.offset for place, offset in read.items()}
    own = {place: end for place, end in until_.items() if place[0] == room.prefix + TOPIC}
    return sum(max(0, end - max(0, committed.get(place, 0))) for place, end in own.items())


async def drained(room: Room, seconds: float) -> None:
    """Returns once the inbox has read everything. Raises TimeoutError."""

    async def empty() -> bool:
        return await unread(room, await ends(room.bootstrap_servers, room.prefix + TOPIC)) == 0

    await until(empty, "the inbox to read everything", seconds)
