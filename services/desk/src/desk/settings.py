"""Settings of the desk: addresses of a relay's broker and database, and its policy."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.process.settings import Database, Settings
from ingest.settings import Limits

HOW = (
    "Start a relay by `make run` and type this in the same folder, or name one by BATON_KAFKA__BOOTSTRAP_SERVERS and "
    "BATON_DATABASE__URL."
)
"""How to reach a running relay, for a command that finds none."""


class DeskSettings(Settings):
    """From the environment, else from the file that `make run` writes for its own relay."""

    model_config = SettingsConfigDict(env_file=".baton/baton.env")

    database: Database = Field(Database.local("baton_reader"), description=Database.__doc__ or "")
    limits: Limits = Field(Limits(), description="ingest's own: by them a rejected item is judged again")
    policies: Path = Field(
        Path("deploy/policies/demo"), description="folder of one policy's versions, <version>.yaml each"
    )
