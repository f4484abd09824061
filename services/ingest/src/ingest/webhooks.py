"""Webhooks: which platforms may send to `POST /v1/webhooks/{name}`, by which secret, and what.

    webhooks:
      - name: hubspot
        kind: hubspot                # hubspot, mautic, salesforce, standard (Standard Webhooks) or token
        url: https://events.example.com/v1/webhooks/hubspot    # of kind hubspot: as HubSpot has it, which signs it
        secrets: [{env: HUBSPOT_CLIENT_SECRET}]                # or {file: path}; any of several is taken
      - name: shop
        kind: standard
        format: shop                 # a mapping, or segment; of the first three kinds the mapping of that name
        class: server                # or public (the default of salesforce, whose messages are not signed)
        sends: [engagements, sales-activities]                 # without it engagements only
        secrets: [{file: /run/secrets/shop}, {file: /run/secrets/shop-before}]

Secrets are never in this file, in logs or in answers.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, NoReturn, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from standardwebhooks.webhooks import EmptyWebhookSecretError
from standardwebhooks.webhooks import Webhook as Signed

from chassis.documents import BadDocument, read_document
from chassis.process.logs import logger
from ingest.formats import ENGAGEMENTS, SALES, Formats
from schemas.envelope import SentBy

DEMO = "demo-webhook-token"
"""The secret of `make run`: everybody knows it."""
SHORTEST = 16
"""Characters of the shortest secret that is taken."""
_OWN_FORMAT = ("hubspot", "mautic", "salesforce")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Secret(_Part):
    """Where a secret is: in the environment or in a file."""

    env: str | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("expected either env, the name of a variable, or file, a path")
        return self

    def read(self, beside: Path) -> str:
        """The secret; a path is relative to the folder `beside`. Raises ValueError, which never quotes it."""
        if self.env is not None:
            secret, where = os.environ.get(self.env, ""), f"the variable {self.env}"
        else:
            where = str(path := beside / (self.file or ""))
            try:
                secret = path.read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"{where} cannot be read: {type(error).__name__}") from None
        if len(secret) < SHORTEST:
            raise ValueError(f"{where} has no secret of at least {SHORTEST} characters")
        return secret


class _Entry(_Part):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    kind: Literal["hubspot", "mautic", "salesforce", "standard", "token"]
    secrets: tuple[_Secret, ...]
    format: str | None = None
    sentby: Literal["public", "server"] | None = Field(None, alias="class")
    sends: frozenset[Literal["engagements", "sales-activities"]] = frozenset(("engagements",))
    url: str | None = None
    organization: str | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if not self.secrets:
            raise ValueError("secrets: expected at least one")
        if self.format is None and self.kind not in _OWN_FORMAT:
            raise ValueError("format: expected the name of a mapping, or segment")
        if (self.url is None) == (self.kind == "hubspot"):
            raise ValueError("url: expected of kind hubspot, and of no other")
        if (self.organization is None) == (self.kind == "salesforce"):
            raise ValueError("organization: expected of kind salesforce (its OrganizationId), and of no other")
        if self.kind == "salesforce" and self.sentby == "server":
            raise ValueError("class: must be public, for outbound messages are not signed")
        if self.trusted == "public" and SALES in self.sends:
            raise ValueError(f"sends: a public webhook may send {ENGAGEMENTS} only")
        return self

    @property
    def trusted(self) -> Literal["public", "server"]:
        return self.sentby or ("public" if self.kind == "salesforce" else "server")


class _File(_Part):
    webhooks: tuple[_Entry, ...]


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as the route needs it."""

    name: str
    kind: str
    format: str
    sentby: SentBy
    sends: frozenset[str]
    url: str
    organization: str
    secrets: tuple[str, ...] = field(repr=False)


def read_webhooks(path: Path, formats: Formats) -> tuple[Mapping[str, Webhook], frozenset[Path]]:
    """The webhooks of a file by name, and all files that were read. Raises BadDocument."""
    problems, found, files = list[str](), dict[str, Webhook](), {path}
    for place, entry in enumerate(read_document(path, _File).webhooks):
        at = f"{path}: webhooks[{place}] ({entry.name})"
        try:
            secrets = tuple(secret.read(path.parent) for secret in entry.secrets)
            if entry.kind == "standard":
                _check_standard(secrets)
            formats.find(entry.format or entry.kind)
        except ValueError as error:
            problems.append(f"{at}: secrets: {error}")
            continue
        except BadDocument as error:
            problems += [f"{at}: format: {problem}" for problem in error.problems]
            continue
        if entry.name in found:
            problems.append(f"{at}: there are two of this name")
        files |= {path.parent / secret.file for secret in entry.secrets if secret.file is not None}
        found[entry.name] = Webhook(
            entry.name, entry.kind, entry.format or entry.kind, entry.trusted, frozenset(entry.sends),
            entry.url or "", entry.organization or "", secrets,
        )  # fmt: skip
    if problems:
        raise BadDocument(problems)
    return found, frozenset(files)


def _check_standard(secrets: tuple[str, ...]) -> None:
    for secret in secrets:
        try:
            Signed(secret)
        except (ValueError, EmptyWebhookSecretError):
            raise ValueError("a secret of Standard Webhooks is whsec_ and base64") from None


class Webhooks:
    """The webhooks of a file, read again when it, a secret's file or a mapping changes; none without a file."""

    def __init__(self, path: Path | None, formats: Formats) -> None:
        """Raises BadDocument."""
        self.formats = formats
        self._path = path
        self._known, files = read_webhooks(path, formats) if path else ({}, frozenset[Path]())
        self._stamps = {file: _stamp(file) for file in files | formats.files}

    def find(self, name: str) -> Webhook | None:
        """The webhook of this name."""
        return self._known.get(name)

    @property
    def has_known_ones(self) -> bool:
        """Whether one has the secret of the demo."""
        return any(DEMO in hook.secrets for hook in self._known.values())

    def reread(self) -> None:
        """Reads changed files. Invalid ones change nothing and are logged once."""
        stamps = {file: _stamp(file) for file in self._stamps}
        if self._path is None or stamps == self._stamps:
            return
        self._stamps = stamps
        formats = Formats(self.formats.folder)
        try:
            self._known, files = read_webhooks(self._path, formats)
        except BadDocument as error:
            logger("ingest.webhooks").error("webhooks_kept", problems=error.problems)
            return
        self.formats = formats
        self._stamps = {file: _stamp(file) for file in files | formats.files}
        logger("ingest.webhooks").info("webhooks_read", webhooks=len(self._known))

    async def watch(self, every: float) -> NoReturn:
        """Rereads the files every `every` seconds, for ever."""
        while True:
            await asyncio.sleep(every)
            self.reread()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
