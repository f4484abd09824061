"""The auditor counts the copies of what was forwarded, also of leads that were merged, unmerged and merged again."""

import json
from collections import Counter
from hashlib import sha256
from typing import cast
from uuid import UUID

from desk.audit.content import digest, event_of
from desk.audit.dead_letters import Letters
from desk.audit.ledger import Ledger
from desk.audit.report import Findings
from desk.audit.snapshot import Books, Database, Progress
from desk.audit.topics import Extent, Raw
from schemas.identity import lead_id_of

OLD, NEW, DEVICE = (
    lead_id_of(email="old@example.com"),
    lead_id_of(email="new@example.com"),
    lead_id_of(anonymous_id="a"),
)
Body = dict[str, object]


def said(id_: str, kind: str, subject: str, **more: object) -> Body:
    about = {"specversion": "1.0", "source": "tests", "time": "2026-03-02T12:00:00Z", "data": {}, "finaltime": True}
    return {**about, "id": id_, "type": f"baton.{kind}.v1", "subject": subject, **more}


def visit(id_: str, of: str) -> Body:
    return said(id_, "engagement.recorded", of)


def merge(id_: str, kind: str) -> Body:
    return said(id_, f"lead.{kind}", OLD, data={"alias": OLD, "lead": NEW})


def copied(body: Body) -> Body:
    """As it is published for the other lead."""
    return {**body, "subject": NEW, "via": body["subject"]}


LINK = said("link", "lead.linked", DEVICE, data={"alias": DEVICE, "lead": NEW})
ONE, OTHER, CLICK = visit("one", OLD), visit("other", OLD), visit("click", DEVICE)
MERGED, UNMERGED, AGAIN = merge("m1", "merged"), merge("m2", "unmerged"), merge("m3", "merged")
APART = [ONE, OTHER, MERGED, *map(copied, (MERGED, ONE, OTHER)), UNMERGED, copied(UNMERGED)]
TOGETHER = [*APART, AGAIN, *map(copied, (AGAIN, ONE, OTHER))]
"""The move begins anew, and publishes both visits a second time."""


async def wrong(records: list[Body], copies: int) -> Counter[str]:
    """What is found in these records of a scorer's partition, whose totals count so many copies."""
    values = [json.dumps(body).encode() for body in records]
    books, findings, distinct = Books("scorer"), Findings(), dict[bytes, bytes]()
    for body, value in zip(records, values, strict=True):
        lead = str(body["subject"])
        fact = UUID(lead).bytes + sha256(value).digest()[:16] + (0).to_bytes(4, "big")
        distinct.setdefault(digest(lead, "tests", str(body["id"])), fact)
    known = len(records) - len(distinct)
    totals = {"records": len(records), "facts": len(distinct), "duplicates": known, "moved": copies}
    books.partitions[0] = Progress({"engagements": len(records)}, 0, totals)
    books.facts.update(distinct)
    extents = {(topic, 0): Extent(0, len(records)) for topic in ("engagements", "engagements-dlq")}
    ledger = Ledger(books, Letters(findings), extents, findings)
    for offset, value in enumerate(values):
        ledger.add(Raw("engagements", 0, offset, 0, b"", value, {}), event_of(value))
    await ledger.finish(cast("Database", None))  # asked for disputed records only, and there are none
    if ledger.copies.most_ever < copies:
        findings.wrong("I5", "fewer outputs than announced")
    return findings.violations


async def test_what_is_there_is_not_missed_however_often_it_was_published() -> None:
    assert not await wrong([LINK, copied(LINK), CLICK, copied(CLICK)], 2)
    assert not await wrong([*APART, LINK, copied(LINK)], 5)
    assert not await wrong(TOGETHER, 7)


async def test_a_copy_that_is_lost_is_missed_though_another_lead_was_unmerged() -> None:
    """Before, one unmerge of anybody turned the check off for everybody."""
    assert await wrong([*APART, LINK, copied(LINK), CLICK], 6) == {"I2": 1, "I5": 1}
    repeated = merge("m4", "merged")  # changes nothing, so nothing is moved
    assert await wrong([*TOGETHER, repeated, LINK, copied(LINK), CLICK], 9) == {"I2": 1, "I5": 1}


async def test_a_copy_of_an_unmerged_lead_is_missed_before_it_is_merged_again() -> None:
    assert await wrong([each for each in APART if each != copied(OTHER)], 4) == {"I2": 1, "I5": 1}
