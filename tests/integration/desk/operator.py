"""What an operator types about dead letters."""

import asyncio
import json
from typing import Any

from tests.relay import Relay


class Operator:
    """Types `baton letters`."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    @property
    def relay_line(self) -> str:
        """What a command that changes something says first."""
        room = self._relay.room
        return f"Relay: broker {room.bootstrap_servers}, prefix {room.prefix}\n"

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        """The command, running."""
        return await self._relay.typing("desk", "letters", *words)

    async def types(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        return await self._relay.typed("desk", "letters", *words)

    async def asks(self, *words: str) -> Any:
        """The answer as --json gives it."""
        code, out, err = await self.types(*words, "--json")
        assert (code, err) == (0, "" if "--apply" not in words else self.relay_line)
        return json.loads(out)

    async def letters(self, reason: str) -> list[dict[str, Any]]:
        """The single letters with the reason."""
        return list((await self.asks("list", "--reason", reason))["letters"])

    async def fates(self, *words: str) -> dict[tuple[str, str], int]:
        """(reason, fate) -> how many, as `replay` tells it."""
        told = (await self.asks("replay", *words))["fates"]
        return {(each["reason"], each["fate"]): each["letters"] for each in told}
