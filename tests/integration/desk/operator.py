"""What an operator types, as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from tests.infrastructure import Room


class Operator:
    """Types `baton letters` in a room."""

    def __init__(self, room: Room) -> None:
        self._environment = {
            **os.environ,
            "BATON_KAFKA__BOOTSTRAP_SERVERS": room.bootstrap_servers,
            "BATON_KAFKA__PREFIX": room.prefix,
            "COLUMNS": "200",
        }

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        """The command, running."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "desk", "letters", *words),
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def types(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        process = await self.start(*words)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, out.decode(), err.decode()

    async def asks(self, *words: str) -> Any:
        """The answer as --json gives it."""
        code, out, err = await self.types(*words, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    async def letters(self, reason: str) -> list[dict[str, Any]]:
        """The single letters with the reason."""
        return list((await self.asks("list", "--reason", reason))["letters"])

    async def fates(self, *words: str) -> dict[tuple[str, str], int]:
        """(reason, fate) -> how many, as `replay` tells it."""
        told = (await self.asks("replay", *words))["fates"]
        return {(each["reason"], each["fate"]): each["letters"] for each in told}
