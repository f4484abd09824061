"""Following a policy's folder: a version that is added while the service runs judges from its date on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from chassis.logs import logger
from chassis.policy import Policies, PolicyError

SECONDS = 5
"""How long a new version may go unnoticed."""

log = logger(__name__)


async def follow(policies: Policies[Any]) -> None:
    """Looks at the folder for versions that were added, at once and then for ever.

    A folder that cannot be used, or in which a known version is another, changes nothing; it is told once.
    """
    known = set[tuple[str, int, int]]()
    while True:
        found = await asyncio.to_thread(_listing, policies.folder)
        if found != known:
            known = found
            try:
                if policies.join(await asyncio.to_thread(policies.found_now)):
                    log.info("policy_joined", version=len(policies.versions))
            except (PolicyError, OSError) as error:
                log.error("policy_refused", reason=str(error))
        await asyncio.sleep(SECONDS)


def _listing(folder: Path) -> set[tuple[str, int, int]]:
    try:
        return {(path.name, (stat := path.stat()).st_mtime_ns, stat.st_size) for path in folder.iterdir()}
    except OSError:  # being replaced just now
        return set()
