"""Inboxes: the topics that platforms write to as they like, and how their records are read.

inboxes:
  - topic: crm-contacts          # any key, any partitions, any partitioner
    format: debezium             # segment, cloudevents, or a mapping
    source: crm                  # the source of the events is inbox/crm
    class: server                # or public: what anybody may have written
    sends: [engagements, sales-activities]    # without it engagements only
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from chassis.documents import BadDocument, read_document
from ingest.formats import ENGAGEMENTS, SALES, Formats
from schemas.topics import TOPICS


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Inbox(_Part):
    """A topic and how it is read."""

    topic: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,200}$")]
    format: str
    source: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    sentby: Literal["public", "server"] = Field(alias="class")
    sends: frozenset[Literal["engagements", "sales-activities"]] = frozenset(("engagements",))

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.topic in TOPICS:
            raise ValueError("topic: is one of Baton's own, whose records need the lead's id for a key")
        if self.sentby == "public" and SALES in self.sends:
            raise ValueError(f"sends: a public inbox may send {ENGAGEMENTS} only")
        return self


class _File(_Part):
    inboxes: tuple[Inbox, ...] = ()


def read_inboxes(path: Path, formats: Formats) -> Mapping[str, Inbox]:
    """The inboxes of a file by topic. Raises BadDocument."""
    problems, found = list[str](), dict[str, Inbox]()
    for place, inbox in enumerate(read_document(path, _File).inboxes):
        at = f"{path}: inboxes[{place}] ({inbox.topic})"
        try:
            formats.find(inbox.format)
        except BadDocument as error:
            problems += [f"{at}: format: {problem}" for problem in error.problems]
        if inbox.topic in found:
            problems.append(f"{at}: there are two of this topic")
        found[inbox.topic] = inbox
    if problems:
        raise BadDocument(problems)
    return found
