"""The knobs of the router."""

from __future__ import annotations

from pydantic import Field

from chassis.settings import JudgeSettings, Ops


class Settings(JudgeSettings):
    """Settings of the router."""

    ops: Ops = Field(Ops(port=9103), description=Ops.__doc__ or "")
