"""Write keys: who may send what. Only hashes are kept, so neither the file nor a core dump reveals a key."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn, Self

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

from chassis.process.logs import logger
from schemas.envelope import SentBy

ANY = "*"
MOST_LIVE = 2
DEMO = {
    "4aef5a165aa5edcd6af407556aa3fefbcc36b5623de31aa36f236632a3154eda",  # pk_demo_tracker
    "47166f1a8eb5c8665e9ece3b4bbc33c2706b0f2726527b8ecc9cb6af772676cd",  # sk_demo_sales
}
"""Hashes of the keys that the README names: everybody knows them."""


class UnreadableKeys(Exception):  # noqa: N818 - what happened, in the domain's words
    """The file of write keys is missing or invalid; the message says where and what."""


@dataclass(frozen=True, slots=True)
class Key:
    """A sender; its name is in the source of its events.

    A public key is on web pages and allows calls of trackers only; `origins` are the pages that may use it (`ANY`).
    """

    name: str
    kind: SentBy
    origins: frozenset[str] = frozenset()

    def allows(self, origin: str) -> bool:
        """Whether a page of this origin may send with the key."""
        return origin in self.origins or ANY in self.origins


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    kind: SentBy
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    origins: tuple[Annotated[str, StringConstraints(pattern=r"^(\*|https?://[^/\s]+)$", to_lower=True)], ...] = ()

    @model_validator(mode="after")
    def _on_pages(self) -> Self:
        if self.origins and self.kind != "public":
            raise ValueError("only a public key may be on web pages: origins are for those")
        return self


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    keys: tuple[_Entry, ...]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """A name may have two keys of one kind, so that the new one is known before the old one goes."""
        hashes = [entry.sha256 for entry in self.keys]
        if len(set(hashes)) < len(hashes):
            raise ValueError("two keys have the same sha256")
        for name in {entry.name for entry in self.keys}:
            same = [(entry.kind, set(entry.origins)) for entry in self.keys if entry.name == name]
            if len(same) > MOST_LIVE or any(one != same[0] for one in same):
                raise ValueError(f"{name}: at most {MOST_LIVE} keys may have one name, alike in kind and origins")
        return self


class WriteKeys:
    """The keys of a file, read again when it changes."""

    def __init__(self, path: Path) -> None:
        """Raises UnreadableKeys."""
        self._path = path
        self._stamp = _stamp(path)
        self._keys = _read(path)
        self.kept = False
        """Whether the file is missing or invalid now, so that the keys of before are kept."""

    def find(self, presented: str) -> Key | None:
        """The key presented; takes the same time for every wrong one."""
        digest = hash_key(presented)
        found: Key | None = None
        for sha256, key in self._keys:
            if hmac.compare_digest(sha256, digest):
                found = key
        return found

    @property
    def has_known_ones(self) -> bool:
        """Whether a key is one of the demo's."""
        return any(sha256 in DEMO for sha256, _ in self._keys)

    def reread(self) -> None:
        """Reads a changed file. An invalid one changes nothing and is logged once."""
        try:
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._keys = _read(self._path)
        except UnreadableKeys as error:
            self.kept = True
            logger("ingest.keys").error("write_keys_kept", problem=str(error))
        else:
            self.kept = False
            logger("ingest.keys").info("write_keys_read", keys=len(self._keys))

    async def watch(self, every: float) -> NoReturn:
        """Rereads the file every `every` seconds, for ever."""
        while True:
            await asyncio.sleep(every)
            self.reread()


def hash_key(key: str) -> str:
    """The key's SHA-256, as the file has it. Keys are long and random, so an unsalted hash is enough."""
    return hashlib.sha256(key.encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise UnreadableKeys(f"{path}: {error.strerror} (BATON_WRITE_KEYS names the file of write keys)") from error
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> tuple[tuple[str, Key], ...]:
    try:
        content = yaml.safe_load(path.read_text())
        file = _File.model_validate(content)
    except OSError as error:
        raise UnreadableKeys(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = f", line {mark.line + 1}" if (mark := getattr(error, "problem_mark", None)) else ""
        raise UnreadableKeys(f"{path}{where}: not YAML") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UnreadableKeys(f"{path}, {where or 'the whole file'}: {first['msg']}") from error
    return tuple((entry.sha256, Key(entry.name, entry.kind, frozenset(entry.origins))) for entry in file.keys)
