"""What time alone does to a score: it leaves a window to the instant, and another version of the policy judges anew."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.identity import lead_id_of
from tests.e2e import people
from tests.e2e.conftest import QUICK
from tests.infrastructure import Infrastructure, room
from tests.relay import Relay

WINDOW = timedelta(seconds=4)
AHEAD = timedelta(seconds=30)
"""Until the second version is in force: time enough to start and to leave the window."""


def policies(folder: Path) -> tuple[Path, datetime]:
    """The quick policy in two versions, and when the second comes into force."""
    first = (QUICK / "1.yaml").read_text()
    first = first.replace("{kind: webinar_attended}", '{kind: webinar_attended}, count: {op: ">=", n: 1, window: 4s}')
    date = datetime.now(UTC) + AHEAD
    second = first.replace("version: 1", "version: 2").replace("2026-01-01T00:00:00Z", date.isoformat())
    (folder / "quick").mkdir()
    (folder / "quick/1.yaml").write_text(first)
    dearer = re.sub("(?<=dl_pricing, group: engagement, points: )15", "21", second)
    (folder / "quick/2.yaml").write_text(dearer)
    return folder / "quick", date


@pytest.mark.timeout(180)
async def test_points_leave_and_a_new_version_judges_without_anybody_touching_the_lead(
    servers: Infrastructure, tmp_path: Path
) -> None:
    folder, date = policies(tmp_path)
    ada = people.somebody()
    async with room(servers) as where:
        relay = Relay(where, tmp_path, folder)
        try:
            await relay.migrate()
            await relay.start("ingest", "scorer")
            assert (await relay.batch(people.qualified(ada))).status_code == 200

            async def told() -> list[dict[str, Any]]:
                scores = [
                    e for e in await relay.events("lead-scores", "scored") if e["subject"] == lead_id_of(email=ada)
                ]
                return scores if scores and scores[-1]["data"]["policy"]["version"] == 2 else []

            *_, full, left, anew = await relay.until(told, 60, "the second version to judge")
            assert [one["data"]["score"] for one in (full, left, anew)] == [65, 45, 51]
            assert [one["data"]["cause"] for one in (left, anew)] == ["time", "policy"]
            attended = next(line["since"] for line in full["data"]["explanation"] if line["rule"] == "webinar")
            assert datetime.fromisoformat(left["time"]) == datetime.fromisoformat(attended) + WINDOW
            assert datetime.fromisoformat(anew["data"]["as_of"]) >= date
            code, printed = await relay.command("scorer", "explain", ada, "--at", full["data"]["as_of"])
            assert (code, "65 points" in printed) == (0, True), printed
        finally:
            await relay.stop()
