"""Settings of the scorer."""

from __future__ import annotations

from pydantic import Field

from chassis.process.settings import Database, JudgeSettings, Ops


class Settings(JudgeSettings):
    """Settings of the scorer."""

    database: Database = Field(Database.local("scorer"), description=Database.__doc__ or "")
    ops: Ops = Field(Ops(port=9102), description=Ops.__doc__ or "")
