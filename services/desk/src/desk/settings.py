"""Settings of the desk: addresses of a relay's broker and database, and its policy."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_IWGRP, S_IWOTH
from typing import Self

from pydantic import Field

from chassis.process.settings import Database, Settings
from ingest.settings import MAPPINGS, Limits

HOW = (
    "Start a relay by `make run` and type this in the same folder, or name one by BATON_KAFKA__BOOTSTRAP_SERVERS and "
    "BATON_DATABASE__URL."
)
"""How to reach a running relay, for a command that finds none."""


RELAY = Path(".baton") / "baton.env"
"""The file that `make run` writes for its own relay."""
NAMES_A_RELAY = ("BATON_KAFKA", "BATON_DATABASE", "BATON_POLICIES")
"""Beginnings of the variables that say which relay is meant."""


class DeskSettings(Settings):
    """From the environment, or from the file of `make run` if the environment names no part of a relay: a command
    never acts on parts of two relays.
    """

    database: Database = Field(Database.local("baton_reader"), description=Database.__doc__ or "")
    limits: Limits = Field(Limits(), description="ingest's own: by them a rejected item is judged again")
    mappings: Path = Field(MAPPINGS, description="ingest's own: by them what a webhook or inbox refused is read again")
    policies: Path = Field(
        Path("deploy/policies/demo"), description="folder of one policy's versions, <version>.yaml each"
    )

    @classmethod
    def read(cls, file: Path | None = None) -> Self:
        """As Settings.read. Ends the process also where others than the user may have written the file."""
        if any(name.upper().startswith(NAMES_A_RELAY) for name in os.environ):
            return super().read(file)
        return super().read(file or _file_of_the_user())


def _file_of_the_user() -> Path | None:
    """The file in the current folder, None where there is none. It may send passwords and erasures to any server."""
    places = (RELAY.parent, RELAY)
    try:
        found = [place.stat() for place in places]
        links = [place.lstat() for place in places]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SystemExit(f"{RELAY} cannot be read: {error.strerror}. {HOW}") from None
    own = all(each.st_uid == os.geteuid() for each in (*found, *links))
    if not own or any(each.st_mode & (S_IWGRP | S_IWOTH) for each in found):
        raise SystemExit(f"{RELAY} is not used: it or its folder is another user's, or others may write to it. {HOW}")
    return RELAY
