"""Intermediate results of scoring, kept beside a basis in memory so that the next fact need not compute them again.

They are never stored and take no part in a comparison: without them the same decisions follow, only later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from scorer.rules.basis import Shares
from scorer.rules.course import Course
from scorer.rules.order import Instant, Micros


class Settled(NamedTuple):
    """Since when each condition that is true at `at` has been true.

    Time alone changes none before `until`; None: never. No fact has changed what the rules pay since `origin`.
    """

    at: Instant
    held: Mapping[str, Instant]
    until: Instant | None
    origin: Micros


class Watch(NamedTuple):
    """The instant from which time alone makes the published score untrue; None: it never does."""

    due: Instant | None


class Fresh(NamedTuple):
    """Up to `until` something is left of each of the shares."""

    shares: Shares
    until: Micros


class Memo(NamedTuple):
    """What is known of a basis; None: not computed.

    `course` may be that of an earlier basis (see `course_of`), `fresh` is by rule.
    """

    course: Course | None = None
    settled: Settled | None = None
    watch: Watch | None = None
    fresh: Mapping[str, Fresh] | None = None


EMPTY = Memo()
