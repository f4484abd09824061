"""Makes calls of any JSON, by a mapping: a YAML file of JMESPath expressions.

    about: what it reads, and from where the format is known
    items: orders[]          # what is judged and set aside by itself; without it the body, or each element of an array
    calls:                   # each call whose `when` is true (or missing) is made of an item
      - type: track          # as the Segment family calls it: identify, track, page, screen, group, alias
        when: status == 'paid'
        messageId: to_string(id)
        timestamp: instant(paid_at, 'ms')
        userId: customer.id
        event: "'Order Paid'"
        properties: {revenue: total}
    activities:              # and each sales activity, as POST /v1/sales-activities takes it
      - type: deal.won
        subject: {email: customer.email}
        data: {revenue: total}

What an expression does not find is absent. An item of which nothing is made is not wanted, and is no mistake. The
second of several calls of one item has its place after its id, so that each has an id of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Mapped
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ingest.adapters.expressions import Jmes

CallType = Literal["identify", "track", "page", "screen", "group", "alias"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Call(_Part):
    """A call of the Segment family."""

    type: CallType
    when: Jmes | None = None
    messageId: Jmes | None = None  # noqa: N815 - Segment's names
    timestamp: Jmes | None = None
    sentAt: Jmes | None = None  # noqa: N815
    userId: Jmes | None = None  # noqa: N815
    anonymousId: Jmes | None = None  # noqa: N815
    previousId: Jmes | None = None  # noqa: N815
    event: Jmes | None = None
    name: Jmes | None = None
    traits: dict[str, Jmes] = {}
    properties: dict[str, Jmes] = {}
    properties_from: Jmes | None = Field(None, description="an object with more properties")

    def made(self, item: object, place: str) -> dict[str, Any] | None:
        """The call; None where the item is none. Raises Refused."""
        if not _wanted(self.when, item, place):
            return None
        single = ("messageId", "timestamp", "sentAt", "userId", "anonymousId", "previousId", "event", "name")
        found = _found({name: expression for name in single if (expression := getattr(self, name))}, item, place)
        more = self.properties_from.of(item, f"{place}.properties_from") if self.properties_from else None
        named = _found(self.properties, item, f"{place}.properties")
        return {
            "type": self.type,
            **found,
            "traits": _found(self.traits, item, f"{place}.traits"),
            "properties": {**more, **named} if isinstance(more, dict) else named,
        }


class Activity(_Part):
    """A sales activity."""

    type: str
    when: Jmes | None = None
    id: Jmes | None = None
    time: Jmes | None = None
    subject: dict[Literal["email", "userId", "anonymousId"], Jmes] = Field(min_length=1)
    data: dict[str, Jmes] = {}

    def made(self, item: object, place: str) -> dict[str, Any] | None:
        """The activity; None where the item is none. Raises Refused."""
        if not _wanted(self.when, item, place):
            return None
        names = _found(self.subject, item, f"{place}.subject")
        single = {name: expression for name in ("id", "time") if (expression := getattr(self, name))}
        return {
            "type": self.type,
            **_found(single, item, place),
            "subject": dict([next(iter(names.items()))]) if names else None,
            "data": _found(self.data, item, f"{place}.data"),
        }


class Mapping(_Part):
    """The content of a mapping file."""

    about: str
    items: Jmes | None = None
    calls: tuple[Call, ...] = ()
    activities: tuple[Activity, ...] = ()

    def split(self, content: object) -> Sequence[object]:
        """The items of a body. Raises Refused."""
        found = content if self.items is None else self.items.of(content, "items")
        if found is None:
            return []
        return found if isinstance(found, list) else [found]

    def made(self, item: object, id_: str | None) -> Iterator[tuple[Literal["call", "activity"], dict[str, Any]]]:
        """The calls and activities of an item; `id_` is the id of one that has none. Raises Refused."""
        calls = [call.made(item, f"calls[{place}]") for place, call in enumerate(self.calls)]
        activities = [one.made(item, f"activities[{place}]") for place, one in enumerate(self.activities)]
        for place, said in enumerate(filter(None, calls)):
            yield "call", _identified(said, "messageId", id_, place)
        for place, said in enumerate(filter(None, activities)):
            yield "activity", _identified(said, "id", id_, place)


def _wanted(when: Jmes | None, item: object, place: str) -> bool:
    return when is None or when.of(item, f"{place}.when") not in (None, False, "", [], {})


def _found(expressions: Mapped[Any, Jmes], item: object, place: str) -> dict[str, Any]:
    values = {name: expression.of(item, f"{place}.{name}") for name, expression in expressions.items()}
    return {name: value for name, value in values.items() if value is not None}


def _identified(said: dict[str, Any], name: str, id_: str | None, place: int) -> dict[str, Any]:
    own = said.get(name, id_)
    own = str(own) if isinstance(own, int) and not isinstance(own, bool) else own
    if own is None:
        return said
    return {**said, name: f"{own}/{place}" if place and isinstance(own, str) else own}
