"""The gate: whether a lead qualifies, since when, and by what evidence."""

from __future__ import annotations

from datetime import UTC, datetime
from unicodedata import normalize

from schemas.handoffs import GateReport, Predicate
from schemas.policy import Gate, Policy
from schemas.scores import Intent, Score

HIGH_INTENT = "high_intent"
"""The predicate of the fast track: only it needs it, and `contactable` and `not_suppressed` then suffice."""
NOT_SUPPRESSED = "not_suppressed"
_ROUND_A_DOMAIN = " .<>,;"
"""Characters around an address that people type and mail ignores; the domain is compared without them."""
_WORDS = {
    "contactable": ("an e-mail address is known", "no e-mail address is known"),
    "double_opt_in": ("the e-mail address was confirmed (double opt-in)", "the e-mail address is not confirmed"),
    "fit_profile": (
        "fits the target company profile",
        "does not fit the target company profile, or too little is known",
    ),
    "engaged": ("earned points by an engagement", "no engagement has earned points"),
}


def examine(score: Score, policy: Policy, answered: datetime | None = None) -> GateReport:
    """Every predicate that the policy's gate asks for, `contactable` always among them.

    A lead qualifies when all but `high_intent` are true, or by the fast track: `high_intent`, `contactable` and, where
    the policy suppresses domains, `not_suppressed`. A request for sales up to `answered`, the end of an earlier
    episode, gives no fast track. Where both ways are open the earlier one is reported: qualification is the first
    instant at which the gate is open.
    """
    gate = policy.gate
    contactable = _condition(score, "contactable")
    asked = [_condition(score, name) for name in ("double_opt_in", "fit_profile", "engaged") if getattr(gate, name)]
    predicates = [_band(score, policy), contactable, *asked, *_not_suppressed(score, gate)]
    holds = all(predicate.holds for predicate in predicates)
    if not gate.fast_track:
        return GateReport(holds=holds, predicates=tuple(predicates))
    request = _request(score.intent, answered)
    fast = request.holds and all(p.holds for p in predicates if p.name in (contactable.name, NOT_SUPPRESSED))
    if fast and holds:
        fast = _latest(request, contactable) < _latest(*predicates)
    return GateReport(holds=holds or fast, fast_track=fast, predicates=(*predicates, request))


def qualified_at(report: GateReport) -> datetime:
    """Since when an open gate has been open: the latest `since` of the predicates that it needed."""
    if report.fast_track:
        return _latest(*(p for p in report.predicates if p.name in ("contactable", HIGH_INTENT)))
    return _latest(*(p for p in report.predicates if p.name != HIGH_INTENT))


def intent_of_episode(intent: Intent, qualified: datetime, gate: Gate) -> Intent:
    """High if the lead asked for sales within the intent window before qualification, or between it and the handoff.

    An earlier request does not make the follow-up urgent; it is one of the touchpoints.
    """
    if intent.level == "high" and intent.since is not None and intent.since >= qualified - gate.intent_window:
        return intent
    return Intent()


def _band(score: Score, policy: Policy) -> Predicate:
    name = policy.gate.band
    least = next(band.least for band in policy.scoring.bands if band.name == name)
    reach = f"{name} ({least.op} {_number(least.n)})"
    since = score.facts.get(f"band:{name}")
    said = f"score {_number(score.score)} is in band "
    if since is None:
        evidence = f"{said}{score.band}, below {reach}"
    elif score.band == name:
        evidence = f"{said}{reach} since {_minute(since)}"
    else:
        evidence = f"{said}{score.band}, above {reach}, since {_minute(since)}"
    return Predicate(name="band", holds=since is not None, since=since, evidence=evidence)


def _condition(score: Score, name: str) -> Predicate:
    since = score.facts.get(name)
    yes, no = _WORDS[name]
    return Predicate(
        name=name,
        holds=since is not None,
        since=since,
        evidence=no if since is None else f"{yes} since {_minute(since)}",
    )


def _not_suppressed(score: Score, gate: Gate) -> list[Predicate]:
    """None where the policy suppresses no domain; an address that is not suppressed never was."""
    if not gate.suppressed_domains:
        return []
    domain = normalize("NFKC", (score.contact.email or "").rpartition("@")[2]).strip(_ROUND_A_DOMAIN)
    found = next((each for each in gate.suppressed_domains if f".{domain}".endswith(f".{each}")), None)
    evidence = "no e-mail address of a suppressed domain" if found is None else f"the e-mail address is of {found}"
    return [Predicate(name=NOT_SUPPRESSED, holds=found is None, evidence=evidence)]


def _request(intent: Intent, answered: datetime | None) -> Predicate:
    since = intent.since if intent.level == "high" else None
    if since is None:
        return Predicate(name=HIGH_INTENT, holds=False, evidence="has not asked for sales, so no fast track")
    asked = f"asked for sales at {_minute(since)} (event {intent.event})"
    if answered is not None and since <= answered:
        return Predicate(name=HIGH_INTENT, holds=False, evidence=f"{asked}, which an earlier episode has answered")
    return Predicate(name=HIGH_INTENT, holds=True, since=since, evidence=asked)


def _latest(*predicates: Predicate) -> datetime:
    return max(predicate.since for predicate in predicates if predicate.since is not None)


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}"
