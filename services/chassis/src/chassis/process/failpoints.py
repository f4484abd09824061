"""Failpoints: named places in the code where a test kills, freezes, delays or fails the process.

Inert unless `BATON_FAILPOINTS` names some as `<point>=<action>[@<n>]`, separated by `;`. The action is taken once, at
the n-th time that the point is reached (default: the first). No failpoint is on the path of a single event.
"""

from __future__ import annotations

import os
import re
import signal
import time
from dataclasses import dataclass

from chassis.process.failures import Transient
from chassis.process.logs import logger

VARIABLE = "BATON_FAILPOINTS"
POINTS = {
    "sending": "before records are handed to the producer",
    "sent": "handed over, no acknowledgement awaited yet",
    "partly_acknowledged": "the first of several batches is acknowledged",
    "acknowledged": "all of it is, and the caller does not know yet",
    "claimed": "the epoch is raised, nothing of the outbox published",
    "draining": "a part of an earlier owner's outbox is published",
    "fetched": "records are in memory, nothing is decided",
    "decided": "a batch is decided, the commit not sent",
    "committed": "the database has answered, nothing else has happened",
    "ticked": "due leads are decided, nothing is committed",
    "moving": "a slice of facts is decided for other leads, nothing is committed",
    "moved": "a slice and its cursor are committed, and the copies published",
    "reporting": "before the offsets are committed to Kafka",
}
_FORM = re.compile(r"(?P<point>\w+)=(?P<action>kill|freeze|fail|stall:(?P<seconds>\d+))(@(?P<turn>[1-9]\d*))?")


@dataclass(slots=True)
class _Failpoint:
    action: str
    seconds: int
    turns_left: int


_armed: dict[str, _Failpoint] = {}


def arm(text: str) -> None:
    """Arms the failpoints in `text` and disarms all others. Raises ValueError with a sentence for people."""
    points = {}
    for one in filter(None, (part.strip() for part in text.split(";"))):
        form = _FORM.fullmatch(one)
        if form is None or form["point"] not in POINTS:
            raise ValueError(f"{one!r} is not <point>=kill|freeze|fail|stall:<seconds>[@<n>] of {', '.join(POINTS)}")
        points[form["point"]] = _Failpoint(form["action"], int(form["seconds"] or 0), int(form["turn"] or 1))
    _armed.clear()
    _armed.update(points)


def armed(point: str) -> bool:
    """Whether the failpoint's action is still to come."""
    return point in _armed


def reach(point: str) -> None:
    """Takes the failpoint's action if it is due. Raises Transient where the action is to fail."""
    if _armed and point in _armed:
        _act(point, _armed[point])


def _act(point: str, failpoint: _Failpoint) -> None:
    failpoint.turns_left -= 1
    if failpoint.turns_left:
        return
    del _armed[point]
    logger(__name__).warning("failpoint", point=point, action=failpoint.action)
    match failpoint.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "fail":
            raise Transient(f"failpoint {point}")
        case _:
            time.sleep(failpoint.seconds)
