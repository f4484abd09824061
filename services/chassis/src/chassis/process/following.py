"""Following a policy's folder: a version that is added while the service runs judges from its date on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from chassis.policy import Policies, PolicyError
from chassis.process.failures import OtherTerms, Transient
from chassis.process.logs import logger

SECONDS = 5
"""How long a new version may go unnoticed."""
SETTLED_SECONDS = 1.0
"""How long a folder is unchanged before it is read: half a file may be a version too, and would be kept for good."""

log = logger(__name__)


async def follow(policies: Policies[Any], agree: Callable[[Policies[Any]], Awaitable[None]]) -> None:
    """Looks at the folder for versions that were added, now and then for ever; all have to `agree` first.

    A folder that cannot be used, or in which a known version is another, changes nothing; it is told once.
    """
    known = set[tuple[str, int, int]]()
    while True:
        found = await asyncio.to_thread(_listing, policies.folder)
        if found != known:
            await asyncio.sleep(SETTLED_SECONDS)
            if await asyncio.to_thread(_listing, policies.folder) != found:
                continue
            known = found
            try:
                wanted = await asyncio.to_thread(policies.found_now)
                await agree(wanted)
                if policies.join(wanted):
                    log.info("policy_joined", version=len(policies.versions))
            except Transient as error:
                known = set()
                log.warning("database_not_reached", reason=str(error))
            except (PolicyError, OtherTerms, OSError) as error:
                log.error("policy_refused", reason=str(error))
        await asyncio.sleep(SECONDS)


def _listing(folder: Path) -> set[tuple[str, int, int]]:
    try:
        return {(path.name, (stat := path.stat()).st_mtime_ns, stat.st_size) for path in folder.iterdir()}
    except OSError:  # being replaced just now
        return set()
