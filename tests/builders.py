"""Builders of events and facts for tests: each gives a valid value, and takes what the test is about."""

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from chassis.policy import load_policies
from schemas.engagements import Description, Engagement, EngagementRecorded, LeadDescribed, LeadOptedIn, OptIn
from schemas.envelope import Envelope, Fact, fingerprint
from schemas.handoffs import GateReport, Handoff, LeadHandedOff, LeadQualified, Owner, Qualification, handoff_id_of
from schemas.identity import Identifiers, lead_id_of
from schemas.policy import Policy
from schemas.sales import SalesActivity, SalesContacted
from schemas.scores import Intent, LeadScored, Line, Origin, Person, PolicyRef, Score, Touchpoint

D = TypeVar("D")
EMAIL = "ada@example.com"
LEAD = lead_id_of(email=EMAIL)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday, after every shipped policy has come into force."""


def at(minutes: float = 0) -> datetime:
    """The instant `minutes` after NOON."""
    return NOON + timedelta(minutes=minutes)


def an_engagement(kind: str = "page_viewed", content: str | None = None, **fields: Any) -> EngagementRecorded:
    """An engagement of Ada's at NOON; takes `id`, `source`, `time`, `subject` and the fields of an engagement."""
    envelope = _envelope(fields, default_id=f"{kind}-{content}")
    return EngagementRecorded(data=Engagement(kind=kind, content=content, **fields), **envelope)


def a_description(**fields: Any) -> LeadDescribed:
    """What is known of Ada from NOON on; her e-mail address is part of it."""
    envelope = _envelope(fields, default_id="description")
    return LeadDescribed(data=Description(**{"identifiers": Identifiers(email=EMAIL), **fields}), **envelope)


def an_opt_in(**fields: Any) -> LeadOptedIn:
    """Ada confirmed her registration at NOON."""
    envelope = _envelope(fields, default_id="opt-in")
    return LeadOptedIn(data=OptIn(**{"identifiers": Identifiers(email=EMAIL), **fields}), **envelope)


def a_fact(event: Envelope, received: datetime | None = None) -> Fact:
    """The event as an accepted fact; its time is final, and its append time the same unless given."""
    return Fact(event, event.time, False, fingerprint(event), event.encode(), received or event.time)


def _envelope(fields: dict[str, Any], default_id: str) -> dict[str, Any]:
    return {
        "id": fields.pop("id", default_id),
        "source": fields.pop("source", "tests"),
        "subject": fields.pop("subject", LEAD),
        "time": fields.pop("time", NOON),
        **{name: fields.pop(name) for name in ("via", "sentby") if name in fields},
    }


def a_qualification(**fields: Any) -> LeadQualified:
    """Ada's first episode, opened and known at NOON; takes the fields of the envelope and a qualification."""
    envelope = _envelope(fields, default_id=f"qualified-{fields.get('episode', 1)}")
    return LeadQualified(data=Qualification(**_qualification(envelope["subject"], fields)), **envelope)


def a_handoff(**fields: Any) -> LeadHandedOff:
    """Ada handed off to Grace at NOON, in her first episode; takes the fields of the envelope and a handoff."""
    envelope = _envelope(fields, default_id=f"handed-off-{fields.get('episode', 1)}")
    handoff = {
        "owner": Owner(id="grace", name="Grace", email="grace@example.com"),
        "handed_off_at": envelope["time"],
        "targets": {},
        "contact": Person(email=EMAIL, name="Ada"),
        "explanation": (),
        "touchpoints": (),
        "origin": Origin(),
        **_qualification(envelope["subject"], fields),
    }
    return LeadHandedOff(data=Handoff(**handoff), **envelope)


def a_sales_activity(event: type[SalesActivity] = SalesContacted, **fields: Any) -> SalesActivity:
    """A sales activity about Ada at NOON, by default a contact; takes the fields of the envelope and the activity."""
    envelope = _envelope(fields, default_id=event.__name__)
    return event(data=fields, type=event.model_fields["type"].default, **envelope)


def _qualification(lead_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    episode = fields.get("episode", 1)
    return {
        "episode": episode,
        "handoff_id": handoff_id_of(lead_id, episode),
        "qualified_at": NOON,
        "known_at": NOON,
        "score": 65,
        "gate": GateReport(holds=True, predicates=()),
        "policy": PolicyRef(name="classic-50", version=1),
        **fields,
        "intent": Intent(level=fields.get("intent", "high")),
    }


@cache
def _shipped(name: str) -> Policy:
    return load_policies(Path(__file__).parents[1] / "deploy" / "policies" / name, Policy).versions[0]


def a_policy(name: str = "classic-50", **gate: Any) -> Policy:
    """The first version of a shipped policy; takes changes of its gate."""
    policy = _shipped(name)
    return policy.model_copy(update={"gate": policy.gate.model_copy(update=gate)})


def a_score(score: float = 65, version: int = 1, **fields: Any) -> LeadScored:
    """Ada's score, contactable and engaged since NOON; takes the fields of the envelope and a score.

    Its band is by `policy`, by default classic-50; `facts` are added, one that is None is removed.
    """
    policy = fields.setdefault("policy", PolicyRef(name="classic-50", version=1))
    when = fields.setdefault("as_of", fields.get("time", NOON))
    envelope = _envelope({"time": when, **fields}, default_id=f"score-{version}")
    bands = [band.name for band in _shipped(policy.name).scoring.bands if band.least.holds(score)]
    facts = {
        **{f"band:{band}": when for band in bands},
        "contactable": NOON,
        "engaged": NOON,
        **fields.pop("facts", {}),
    }
    values = {
        "fit": 0,
        "engagement": score,
        "band": bands[-1],
        "band_since": when,
        "facts": {name: since for name, since in facts.items() if since is not None},
        "intent": Intent(),
        "explanation": (Line(rule="dl_pricing", group="engagement", points=score, since=when, events=("download",)),),
        "touchpoints": (Touchpoint(time=NOON, kind="content_downloaded", content="pricing", event="download"),),
        "contact": Person(email=EMAIL, name="Ada"),
        "origin": Origin(first="spring", last="autumn"),
        "engaged_at": when,
        "cause": f"cause-{version}",
        **{name: value for name, value in fields.items() if name not in envelope},
    }
    return LeadScored(data=Score(score=score, version=version, **values), **envelope)


def the(kind: type[D], decision: object) -> D:
    """The decision, which has to be of this kind."""
    assert isinstance(decision, kind)
    return decision
