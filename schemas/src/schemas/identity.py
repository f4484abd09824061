"""The lead's id: a hash of the strongest identifier, so that every producer computes it alone."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha1
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator

from schemas.envelope import Envelope, Fact, Frozen, fingerprint
from schemas.spelling import canonical_email, email_as_stored, given, identifier_as_stored, plain_identifier

NAMESPACE = UUID("b46f1a5c-6a0e-5d0c-9f57-0e6d1c0ba701")
"""Baton's namespace for version-5 UUIDs; another one would change the id of every lead."""
_NAMESPACE = NAMESPACE.bytes
_MINUTE = timedelta(minutes=1)

Name = Literal["email", "user_id", "anonymous_id"]
_Email = Annotated[str, AfterValidator(email_as_stored)]
_Plain = Annotated[str, AfterValidator(identifier_as_stored)]


class Identifiers(Frozen):
    """What an event knows of who the lead is, strongest first, spelt as it was written.

    Who takes identifiers from strangers brings them into one spelling first (`schemas.spelling`).
    """

    email: Annotated[_Email | None, BeforeValidator(given)] = None
    user_id: Annotated[_Plain | None, BeforeValidator(given)] = None
    anonymous_id: Annotated[_Plain | None, BeforeValidator(given)] = None

    def lead_ids(self) -> dict[Name, str]:
        """The lead's id under each identifier given, strongest first; the first one is the lead."""
        named: tuple[tuple[Name, str, str | None], ...] = (
            ("email", "email", self.email),
            ("user_id", "user", self.user_id),
            ("anonymous_id", "anonymous", self.anonymous_id),
        )
        return {name: _hash(kind, value) for name, kind, value in named if value is not None}


def lead_id_of(email: str | None = None, user_id: str | None = None, anonymous_id: str | None = None) -> str:
    """The lead's id: uuid5(NAMESPACE, "<kind>:<identifier>") of the strongest identifier given.

    Raises ValueError (pydantic's ValidationError is one) when none is given or one is junk.
    """
    ids = Identifiers(
        email=_spelt(email, canonical_email),
        user_id=_spelt(user_id, plain_identifier),
        anonymous_id=_spelt(anonymous_id, plain_identifier),
    ).lead_ids()
    if not ids:
        raise ValueError("an event needs an e-mail, a user id or an anonymous id")
    return next(iter(ids.values()))


def lead_of(address: str) -> str:
    """The lead of an address that is in its one spelling."""
    return _hash("email", address)


def respelt(lead_id: str, address: str) -> str | None:
    """The lead to which a lead belongs that was stored under a bad spelling of its own address; None for all others.

    `address` as it was stored. None too where it cannot be read as one address.
    """
    try:
        if lead_id != _hash("email", email_as_stored(address)):
            return None
        right = _hash("email", canonical_email(address))
    except ValueError:
        return None
    return None if right == lead_id else right


def derived_id(*parts: object) -> str:
    """An id that depends on `parts` only: the same inputs give the same id, so a repeat is a duplicate."""
    return _uuid5("\0".join(str(part) for part in parts))


def id_of_content(event: Envelope) -> str:
    """The id of an event that came without one: derived from its content, so that a retry has the same.

    If it came without a time too, the minute of its receipt is part of it: next week's visit is another event.
    """
    return _content_id(fingerprint(event), event.time if event.occurredat is None else None)


def neighbours(fact: Fact) -> tuple[str, ...]:
    """The ids of the same content one minute before and after, for an event with neither id nor time of its own.

    A retry may come in the next minute, and two instances of ingest may write both in either order; one of them is a
    fact.
    """
    event = fact.event
    if not event.finaltime or event.occurredat is not None or event.id != _content_id(fact.fingerprint, event.time):
        return ()
    return tuple(_content_id(fact.fingerprint, event.time + away) for away in (-_MINUTE, _MINUTE))


def _content_id(content: bytes, received_at: datetime | None) -> str:
    minute = () if received_at is None else (received_at.strftime("%Y-%m-%dT%H:%M"),)
    return derived_id("told", content.hex(), *minute)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key by Kafka's default partitioner (murmur2, seed 0x9747b28c)."""
    return (_murmur2(key) & 0x7FFFFFFF) % partitions


def _spelt(identifier: str | None, spelling: Callable[[str], str]) -> str | None:
    return None if identifier is None or not identifier.strip() else spelling(identifier)


def _hash(kind: str, identifier: str) -> str:
    return _uuid5(f"{kind}:{identifier}")


def _uuid5(name: str) -> str:
    """`str(uuid5(NAMESPACE, name))` at a third of the cost: every incoming event needs one."""
    digest = sha1(_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def _murmur2(key: bytes) -> int:
    mask, mix = 0xFFFFFFFF, 0x5BD1E995
    whole = len(key) & ~3
    h = 0x9747B28C ^ len(key)
    for word in struct.unpack(f"<{whole // 4}I", key[:whole]):
        k = word * mix & mask
        h = (h * mix ^ (k ^ k >> 24) * mix) & mask
    if len(key) > whole:
        h = (h ^ int.from_bytes(key[whole:], "little")) * mix & mask
    h = (h ^ (h >> 13)) * mix & mask
    return h ^ (h >> 15)
