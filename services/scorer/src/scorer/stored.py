"""A lead's state as the database keeps it: JSON, read and written by hand, since each known lead costs one of each.

A field that an older version did not write has its default; one that a newer version added is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from schemas.links import Links
from scorer.rules import State
from scorer.rules.background import Background
from scorer.rules.basis import Basis, Kept, Paid, Statement
from scorer.rules.decision import NEVER_PUBLISHED, Published
from scorer.rules.names import ONE_NAME, Names
from scorer.rules.tally import Tally


def read(lead_id: str, text: str) -> State:
    """The state that `write` has made a text of."""
    state = orjson.loads(text)
    tally, published = state.get("tally", {}), state.get("published")
    return State(
        lead_id,
        Tally(_read_basis(tally.get("basis", {})), _read_background(tally.get("background", {}))),
        NEVER_PUBLISHED if published is None else _read_published(published),
        _read_names(state["names"]) if "names" in state else ONE_NAME,
    )


def _read_basis(basis: Mapping[str, Any]) -> Basis:
    get = basis.get
    return Basis(
        get("digest", ""),
        get("at", ""),
        get("first"),
        {key: Kept(tuple(kept.get("places", ())), kept.get("last", "")) for key, kept in get("kept", {}).items()},
        {rule: _read_paid(paid) for rule, paid in get("paid", {}).items()},
        _statements(get("values", {})),
        get("held", {}),
        _statement(get("email")),
        get("opted_in"),
        get("intent"),
        get("own_email"),
        tuple(get("public", ())),
    )


def _read_paid(paid: Mapping[str, Any]) -> Paid:
    get = paid.get
    shares = tuple([(order, milli) for order, milli in get("shares", ())])
    return Paid(shares, get("found", 0), get("used", 0), get("day", ""), get("today", 0), get("over_day", 0))


def _read_background(background: Mapping[str, Any]) -> Background:
    get = background.get
    first, last = _statement(get("origin_first")), _statement(get("origin_last"))
    contact = _statements(get("contact", {}))
    return Background(tuple(get("touches", ())), first, last, contact, tuple(get("public", ())))


def _read_published(published: Mapping[str, Any]) -> Published:
    get = published.get
    return Published(get("version", 0), get("digest", ""), get("milli"), get("contact"))


def _read_names(names: Mapping[str, Any]) -> Names:
    get, links, after = names.get, names.get("links"), names.get("after")
    return Names(
        None if links is None else _read_links(links),
        get("merged", False),
        None if after is None else (after[0], after[1]),
        tuple(get("aliases", ())),
        get("more", 0),
        tuple(get("masked", ())),
        get("unread", False),
        tuple(get("joined", ())),
        () if links is None else tuple(sorted({lead for _, lead, *gone in links["since"] if gone})),
    )


def _read_links(links: Mapping[str, Any]) -> Links:
    return Links(links["first"], tuple([(datetime.fromisoformat(time), lead) for time, lead, *_ in links["since"]]))


def _statement(statement: Sequence[Any] | None) -> Statement | None:
    return None if statement is None else Statement(statement[0], statement[1])


def _statements(statements: Mapping[str, Sequence[Any]]) -> Mapping[str, Statement]:
    return {name: Statement(statement[0], statement[1]) for name, statement in statements.items()}


def write(state: State) -> str:
    """The state without the lead's id, which the row has, and without the memo."""
    background, published = state.tally.background, state.published
    body: dict[str, object] = {
        "tally": {
            "basis": _basis(state.tally.basis),
            "background": {
                "touches": background.touches,
                "origin_first": background.origin_first,
                "origin_last": background.origin_last,
                "contact": background.contact,
                **({"public": background.public} if background.public else {}),
            },
        },
        "published": {
            "version": published.version,
            "digest": published.digest,
            "milli": published.milli,
            "contact": published.contact,
        },
    }
    if state.names is not ONE_NAME and state.names != ONE_NAME:
        body["names"] = _names(state.names)
    return orjson.dumps(body, default=tuple, option=orjson.OPT_UTC_Z).decode()  # tuple: for a Statement


def _names(names: Names) -> Mapping[str, object]:
    """A link to an erased lead has a third member: a version that knows no such leads fails on it, and stops its
    partition, instead of keeping what comes of them.
    """
    links = names.links
    since = () if links is None else [(*link, "erased") if link[1] in names.gone else link for link in links.since]
    return {
        "links": None if links is None else {"first": links.first, "since": since},
        "merged": names.merged,
        "after": names.after,
        "aliases": names.aliases,
        "more": names.more,
        "masked": names.masked,
        "unread": names.unread,
        "joined": names.joined,
    }


def _basis(basis: Basis) -> Mapping[str, object]:
    rare = {"own_email": basis.own_email, "public": basis.public}
    return {
        "digest": basis.digest,
        "at": basis.at,
        "first": basis.first,
        "kept": basis.kept,
        "paid": {rule: _paid(paid) for rule, paid in basis.paid.items()},
        "values": basis.values,
        "held": basis.held,
        "email": basis.email,
        "opted_in": basis.opted_in,
        "intent": basis.intent,
        **{name: value for name, value in rare.items() if value},
    }


def _paid(paid: Paid) -> Mapping[str, object]:
    return {
        "shares": paid.shares,
        "found": paid.found,
        "used": paid.used,
        "day": paid.day,
        "today": paid.today,
        "over_day": paid.over_day,
    }
