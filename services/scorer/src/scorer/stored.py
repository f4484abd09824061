"""A lead's state as the database keeps it: JSON.

Pydantic reads it. It is written by hand: each change costs one writing, and pydantic takes twice as long.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from pydantic import TypeAdapter

from scorer.rules import State
from scorer.rules.basis import Basis, Paid

_STATES = TypeAdapter(State)


def read(lead_id: str, text: str) -> State:
    """The state that `write` has made a text of. What an older version did not write has its default."""
    rest = f",{text[1:]}" if text != "{}" else "}"
    return _STATES.validate_json(f'{{"lead_id":"{lead_id}"{rest}')  # `replace` would take a quarter more


def write(state: State) -> str:
    """All of the state but the lead's id, which is the row's own, and what only spares work."""
    background, published = state.tally.background, state.published
    body = {
        "tally": {
            "basis": _basis(state.tally.basis),
            "background": {
                "touches": background.touches,
                "origin_first": background.origin_first,
                "origin_last": background.origin_last,
                "contact": background.contact,
            },
        },
        "published": {
            "version": published.version,
            "digest": published.digest,
            "milli": published.milli,
            "contact": published.contact,
        },
        "unkept": state.unkept,
        "erased": state.erased,
    }
    return orjson.dumps(body, default=tuple, option=orjson.OPT_UTC_Z).decode()  # tuple: for a Statement


def _basis(basis: Basis) -> Mapping[str, object]:
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
