"""The digest of each policy version that a service has known, kept for good.

Events name the version that judged, so a number must never stand for other terms.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.policy import Policies
from chassis.postgres.database import connected, is_transient
from chassis.process.failures import DatabaseAway, OtherTerms

_KNOWN = text("SELECT version, digest FROM policy WHERE name = :name")
_KEEP = text("""
INSERT INTO policy (name, version, digest)
SELECT :name, u.version, u.digest FROM unnest(CAST(:versions AS int[]), CAST(:digests AS text[])) AS u(version, digest)
ON CONFLICT (name, version) DO NOTHING
""")


async def agree(engine: AsyncEngine, policies: Policies[Any]) -> None:
    """Stores the versions; the first terms stored under a number are kept.

    Raises OtherTerms, and stores nothing, when a number is known with other terms; Transient.
    """
    if not policies.versions:
        return
    parameters = {"name": policies.versions[0].policy, "versions": [each.version for each in policies.versions]}
    parameters["digests"] = [each.digest for each in policies.versions]
    async with connected(engine) as connection:
        for statement in (_KNOWN, _KEEP, _KNOWN):  # read again: of two services that store at once one is second
            try:
                found = await connection.execute(statement, parameters)
            except (DBAPIError, OSError, TimeoutError) as error:
                if is_transient(error):
                    raise DatabaseAway("database: while looking up what was agreed") from error
                raise
            if statement is _KNOWN:
                require_same(policies, {row.version: row.digest for row in found})


def require_same(policies: Policies[Any], known: dict[int, str]) -> None:
    """Raises OtherTerms where a version has other terms than `known` says."""
    for each in policies.versions:
        if known.get(each.version, each.digest) != each.digest:
            raise OtherTerms(
                f"{policies.folder / f'{each.version}.yaml'}: version {each.version} of {each.policy} has judged with "
                "other terms than these. Bring back the file as it was, and put new terms into force as a version of "
                "their own: `baton policy apply`."
            )
