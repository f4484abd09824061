"""Events in plain words."""

import json
from datetime import datetime
from typing import Any

from baton_local.funnel import Funnel
from baton_local.replies import Replies
from baton_local.words import Narrator

LEAD = "00000000-0000-5000-8000-000000000001"


def event(kind: str, **data: Any) -> bytes:
    return json.dumps({"type": f"baton.{kind}.v1", "subject": LEAD, "data": data}).encode()


HANDED_OFF = event(
    "lead.handed_off",
    score=65.0,
    owner={"id": "grace", "name": "Grace"},
    targets={"CK-S1": 60, "CK-S3": 600},
    contact={"name": "Ada"},
)


def test_a_handoff_and_what_follows_is_told_with_names() -> None:
    narrator = Narrator()
    noon = datetime.now().astimezone().replace(hour=12)  # of today, and so told without its date
    due = f"{noon:%H:%M:%S}"
    assert narrator.tell(HANDED_OFF) == "Ada handed to Grace, follow-up due within 60 s: 65 points"
    breach = event("sla.breached", clock="CK-S1", holder={"id": "grace", "name": "Grace"}, due=noon.isoformat())
    assert narrator.tell(breach) == f"BREACH: Grace owed Ada the follow-up by {due}"
    warned = event(
        "clock.warned", clock="CK-S1", holder={"id": "grace", "name": "Grace"}, due=noon.isoformat(), fraction=0.8
    )
    assert narrator.tell(warned) == f"Grace owes Ada the follow-up by {due}: 80 % of the time is gone"
    assert narrator.tell(event("sales.qualified", by="grace")) == "Ada was validated by Grace"


def test_the_same_score_is_told_once() -> None:
    narrator = Narrator()
    scored = event("lead.scored", score=12.5, band="cold")
    assert narrator.tell(scored) == f"lead {LEAD[:8]} scored 12.5 points (cold)"
    assert narrator.tell(scored) is None


def test_what_cannot_be_read_is_passed_over() -> None:
    narrator = Narrator()
    assert [narrator.tell(value) for value in (None, b"", b"{", b"[]", b"1", event("lead.scored"))] == [None] * 6


HOSTILE = (
    b"[" * 200_000,
    b'{"type":"baton.sla.breached.v1","subject":"x","data":{"clock":"CK","due":"9999-12-31T23:59:59-23:59"}}',
    b'{"type":"baton.lead.scored.v1","subject":"x","data":{"score":1' + b"0" * 400 + b',"band":"cold"}}',
    b"x baton.lead.handed_off",
    b'["baton.lead.handed_off"]',
    b'{"subject":"x","data":"baton.lead.handed_off"}',
)
"""What anybody may write to a topic that the launcher reads."""


def test_a_hostile_record_does_not_end_the_launcher() -> None:
    narrator, replies, funnel = Narrator(), Replies(), Funnel()
    assert [narrator.tell(value) for value in HOSTILE] == [None] * len(HOSTILE)
    for value in HOSTILE:
        replies.take(value)
        funnel.take(value)
