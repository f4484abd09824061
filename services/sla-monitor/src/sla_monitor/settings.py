"""Settings of sla-monitor."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from chassis.process.settings import Database, JudgeSettings, Ops


class Settings(JudgeSettings):
    """Settings of sla-monitor."""

    database: Database = Field(Database.local("sla_monitor"), description=Database.__doc__ or "")
    ops: Ops = Field(Ops(port=9104), description=Ops.__doc__ or "")
    feed_patience: timedelta = Field(
        timedelta(seconds=60),
        gt=timedelta(0),
        description="how long past its due a clock waits for a feed that is behind before it is called unknown; "
        "seconds or ISO 8601",
    )
