"""Follows a policy's folder, so that a version added while the service runs judges from its date on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from chassis.policy import Policies, PolicyError
from chassis.process.failures import OtherTerms, Transient
from chassis.process.logs import logger

SECONDS = 5
"""Longest time until a new version is found."""
SETTLED_SECONDS = 1.0
"""A folder is read once it is unchanged for so long: half a file may be a valid version, and would be kept for good."""

log = logger(__name__)


async def follow(policies: Policies[Any], agree: Callable[[Policies[Any]], Awaitable[None]]) -> None:
    """Looks for added versions every SECONDS, for ever; `agree` must accept them before they judge.

    A folder that cannot be used, or that changes a known version, has no effect and is logged once.
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
    except OSError:  # being replaced at this moment
        return set()
