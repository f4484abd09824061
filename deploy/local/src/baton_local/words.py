"""Says an event in plain words for the live view. Reads leniently: a view may lack a word, never fail."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

REMEMBERED = 10_000
"""Leads and owners whose names are kept for events that have only an id."""

PROMISES = {
    "CK-M1": "the handoff",
    "CK-S1": "the follow-up",
    "CK-S2": "the follow-up",
    "CK-S3": "the decision",
    "CK-S4": "the feedback",
}
FOLLOW_UPS = {"CK-S1", "CK-S2"}
SHOWN_WHEN_MET = {"CK-S1", "CK-S2", "CK-S3"}
"""The other clocks are met together with an event that has a line already."""

Data = Mapping[str, Any]


class Narrator:
    """Turns events into lines, in the order they come; remembers names.

    Who owes what by when comes first: the picture cuts a line at the terminal's width.
    """

    def __init__(self) -> None:
        self._names: OrderedDict[str, str] = OrderedDict()
        self._told: OrderedDict[str, str] = OrderedDict()
        self._people: OrderedDict[str, str] = OrderedDict()
        self._tell: dict[str, Callable[[str, Data], str | None]] = {
            "lead.scored": self._scored,
            "lead.linked": self._linked,
            "lead.handed_off": self._handed_off,
            "stage.rejected": self._stage_rejected,
            "clock.warned": self._warned,
            "clock.met": self._met,
            "clock.unknown": self._unknown,
            "sla.breached": self._breached,
            "sla.breach_retracted": self._retracted,
            "sales.qualified": self._validated,
            "sales.disqualified": self._turned_down,
            "sales.recycled": self._given_back,
        }

    def tell(self, value: bytes | None) -> str | None:
        """One line about the event; None when it is of no interest to a person."""
        try:
            event = json.loads(value or b"")
            kind = str(event["type"]).removeprefix("baton.").removesuffix(".v1")
            subject = str(event["subject"])
            data = event["data"]
            who = self._who(subject, data)
            tell = self._tell.get(kind)
            return self._once(subject, tell(who, data)) if tell else None
        except Exception:  # noqa: BLE001 - anybody may write to a topic, and a view must not end the relay
            return None  # a foreign or broken record: the services judge it, and its dead letter is counted

    def _who(self, lead_id: str, data: Data) -> str:
        person = data.get("owner") or data.get("holder") or {}
        if "id" in person:
            _remember(self._people, str(person["id"]), str(person.get("name") or person["id"]))
        contact = data.get("contact") or {}
        name = contact.get("name") or contact.get("email")
        if name:
            _remember(self._names, lead_id, str(name))
        return self._names.get(lead_id, f"lead {lead_id[:8]}")

    def _once(self, lead_id: str, text: str | None) -> str | None:
        """The line unless it is the lead's last one: a score is published again when a fact behind it changes."""
        if text is None or self._told.get(lead_id) == text:
            return None
        _remember(self._told, lead_id, text)
        return text

    def _by(self, data: Data) -> str:
        by = str(data.get("by") or "sales")
        return f" by {self._people.get(by, by)}"

    def _scored(self, who: str, data: Data) -> str:
        return f"{who} scored {_points(data['score'])} points ({data['band']})"

    def _linked(self, who: str, data: Data) -> str | None:
        """Of an alias that had a line, once the lead has a name."""
        name = self._names.get(str(data["lead"]))
        return f"{who} turns out to be {name}" if name and str(data["alias"]) in self._told else None

    def _handed_off(self, who: str, data: Data) -> str:
        left = min((seconds for clock, seconds in data["targets"].items() if clock in FOLLOW_UPS), default=None)
        until = f", follow-up due within {_seconds(left)}" if left is not None else ""
        return f"{who} handed to {data['owner']['name']}{until}: {_points(data['score'])} points"

    def _stage_rejected(self, who: str, data: Data) -> str:
        return f"{who}: {_plain(data['activity'])} does not fit the stage {_plain(data['stage'])} ({data['why']})"

    def _validated(self, who: str, data: Data) -> str:
        return f"{who} was validated{self._by(data)}"

    def _turned_down(self, who: str, data: Data) -> str:
        return f"{who} was turned down{self._by(data)}: {_plain(data['reason'])}"

    def _given_back(self, who: str, data: Data) -> str:
        return f"{who} was given back to marketing{self._by(data)}: {_plain(data['reason'])}"

    def _warned(self, who: str, data: Data) -> str:
        owed = f"{_holder(data)} owes {who} {_promise(data)} by {_clock_time(data['due'])}"
        return f"{owed}: {data['fraction'] * 100:.0f} % of the time is gone"

    def _met(self, who: str, data: Data) -> str | None:
        if data["clock"] not in SHOWN_WHEN_MET:
            return None
        return f"{_capital(_promise(data))} of {who} was in time: {_holder(data)}, after {_seconds(data['elapsed'])}"

    def _unknown(self, who: str, data: Data) -> str:
        return f"Nobody knows yet whether {_promise(data)} of {who} was in time: the feed is behind"

    def _breached(self, who: str, data: Data) -> str:
        return f"BREACH: {_holder(data)} owed {who} {_promise(data)} by {_clock_time(data['due'])}"

    def _retracted(self, who: str, data: Data) -> str:
        return f"Breach taken back: {_promise(data)} of {who} was in time after all, its report came late"


def _remember(memory: OrderedDict[str, str], key: str, text: str) -> None:
    memory[key] = text
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)


def _holder(data: Data) -> str:
    holder = data.get("holder") or {}
    return str(holder.get("name") or holder.get("id") or data.get("party") or "nobody")


def _promise(data: Data) -> str:
    name = str(data["clock"])
    return PROMISES.get(name, name)


def _plain(word: object) -> str:
    return str(word).replace("_", " ")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _points(score: float) -> str:
    return f"{score:.3f}".rstrip("0").rstrip(".")


def _seconds(elapsed: float) -> str:
    if elapsed < 120:
        return f"{elapsed:.0f} s"
    return f"{elapsed / 60:.0f} min" if elapsed < 7200 else f"{elapsed / 3600:.1f} h"


def _clock_time(instant: str) -> str:
    """In this machine's time zone; with seconds, since the demo's clocks are short, and with the day when it is
    not today.
    """
    local = datetime.fromisoformat(instant).astimezone()
    today = local.date() == datetime.now().astimezone().date()
    return local.strftime("%H:%M:%S" if today else "%a %d %b %H:%M")
