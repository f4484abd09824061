"""Settings of the router."""

from __future__ import annotations

from pydantic import Field

from chassis.process.settings import Database, JudgeSettings, Ops


class Settings(JudgeSettings):
    """Settings of the router."""

    database: Database = Field(Database.local("router"), description=Database.__doc__ or "")
    ops: Ops = Field(Ops(port=9103), description=Ops.__doc__ or "")
