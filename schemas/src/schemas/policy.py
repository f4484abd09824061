"""The format of a policy: what marketing and sales agreed, as one versioned, effective-dated document.

Scoring has a module of its own, `schemas.scoring`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Annotated, Literal, Protocol

from pydantic import AwareDatetime, Field, model_validator

from schemas.handoffs import Owner
from schemas.scores import PolicyRef
from schemas.scoring import Scoring
from schemas.sla import Party
from schemas.terms import Domain, Duration, Name, Strict, unique


class Gate(Strict):
    """The conditions of qualification; an e-mail address is always one of them."""

    band: Name = Field(description="the score must be in this band or above")
    double_opt_in: bool = False
    fit_profile: bool = False
    engaged: bool = Field(False, description="at least one scored engagement")
    suppressed_domains: tuple[Domain, ...] = Field(
        (), description="who has an e-mail address there, or at a domain below, never qualifies: competitors, students"
    )
    fast_track: bool = Field(False, description="a high-intent engagement qualifies at any score")
    intent_window: Duration = timedelta(days=7)
    cool_off: Duration = Field(timedelta(days=30), description="rest after an episode's end before the next may open")


class Routing(Strict):
    """Who takes leads, in turn."""

    roster: Annotated[tuple[Owner, ...], Field(min_length=1)]


class ClockRule(Strict):
    """One promise: who owes what, from which event, within which elapsed time (24 x 7)."""

    id: Name
    party: Party
    start: Literal["qualified", "handed_off"]
    stop: Literal["handed_off", "contacted", "decided", "feedback"]
    intent: Literal["high", "low"] | None = Field(None, description="only for leads of this intent; absent: all")
    target: Duration
    warn: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.5, 0.8)


class Policy(Strict):
    """One version of an agreement, in force from `effective_from` until a higher version is."""

    policy: Name
    version: Annotated[int, Field(ge=1)]
    effective_from: AwareDatetime
    apply_to_past: bool = Field(
        False, description="whether a lead may pass the gate by this version alone, without a new scored event"
    )
    about: str
    scoring: Scoring
    gate: Gate
    routing: Routing
    clocks: tuple[ClockRule, ...]

    @model_validator(mode="after")
    def _fits_together(self) -> Policy:
        if self.gate.band not in {band.name for band in self.scoring.bands}:
            raise ValueError(f"gate.band: no band is called {self.gate.band!r}")
        if self.gate.fit_profile and not self.scoring.profile:
            raise ValueError("gate.fit_profile needs scoring.profile")
        unique("clock ids", [clock.id for clock in self.clocks])
        unique("gate.suppressed_domains", list(self.gate.suppressed_domains))
        return self

    @property
    def digest(self) -> str:
        """The same for two versions of the same terms: comments, texts for people, and a term that is left out or said
        as it is by default make no difference.
        """
        texts: dict[str, object] = {"about": True, "scoring": {"rules": {"__all__": {"because"}}}}
        terms = self.model_dump(mode="json", exclude=texts, exclude_defaults=True)  # type: ignore[arg-type]
        return blake2b(json.dumps(terms, sort_keys=True).encode(), digest_size=8).hexdigest()

    @property
    def ref(self) -> PolicyRef:
        return PolicyRef(name=self.policy, version=self.version)


class Agreements(Protocol):
    """All versions of the policy, the oldest first."""

    @property
    def versions(self) -> Sequence[Policy]: ...
    def at(self, instant: datetime) -> Policy:
        """The version in force at the instant."""
        ...
