"""The auditor's books of a router close over an alias that was erased in part, whether or not its score went too."""

import json
from hashlib import sha256
from typing import cast
from uuid import UUID

import pytest

from desk.audit.content import digest, event_of
from desk.audit.dead_letters import Letters
from desk.audit.ledger import Ledger
from desk.audit.report import Findings
from desk.audit.snapshot import Books, Database, Progress, Unkept
from desk.audit.topics import Extent, Raw
from schemas.identity import lead_id_of

ALIAS, ADA = lead_id_of(user_id="u-1"), lead_id_of(email="ada@example.com")
SPANS = [[None, "2026-03-02T12:00:00Z"]]


def said(id_: str, kind: str, **data: object) -> bytes:
    about = {"specversion": "1.0", "source": "baton/scorer", "time": "2026-03-02T11:00:00Z", "finaltime": True}
    return json.dumps({**about, "id": id_, "type": f"baton.lead.{kind}.v1", "subject": ALIAS, "data": data}).encode()


FIRST, SECOND = said("1", "scored", version=1), said("2", "scored", version=2)
PART = said("e", "erased", lead=ADA, spans=SPANS)


@pytest.mark.parametrize("deleted", [0, 1])
@pytest.mark.parametrize("lost", [0, 1])
async def test_a_score_that_went_with_the_erasure_is_not_missed_and_a_lost_one_is(deleted: int, lost: int) -> None:
    records, kept = [FIRST, SECOND, PART], [PART] if deleted or lost else [SECOND, PART]
    books, findings = Books("router"), Findings()
    for value in kept:
        key = ("baton/scorer", json.loads(value)["id"])
        books.facts[digest(ALIAS, *key)] = UUID(ALIAS).bytes + sha256(value).digest()[:16] + (0).to_bytes(4, "big")
    books.unkept[ALIAS] = Unkept(0, 0, deleted, living=True)
    totals = {"records": 3, "facts": 2, "replaced": 1}
    books.partitions[0] = Progress({"lead-scores": 3, "sales-activities": 0}, 0, totals)
    topics = ("lead-scores", "sales-activities", "lead-scores-dlq", "sales-activities-dlq")
    extents = {(topic, 0): Extent(0, 3 * (topic == "lead-scores")) for topic in topics}
    ledger = Ledger(books, Letters(findings), extents, findings)
    for offset, value in enumerate(records):
        ledger.add(Raw("lead-scores", 0, offset, 0, b"", value, {}), event_of(value))
    await ledger.finish(cast("Database", None))  # asked for disputed records only, and there are none
    assert bool(findings.violations) == (lost > deleted), findings
