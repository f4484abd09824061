"""The words in which something goes wrong.

    Failure
    ├── Transient        try again
    │   ├── BrokerAway   the broker did not answer, or asked to be asked again
    │   ├── DatabaseAway the same of the database
    │   │   └── StatementTimeout  it gave up a statement: nothing was written, less may go through
    │   ├── OlderPolicy  a version of the policy is wanted that this instance has not got yet
    │   └── Fenced       another owner has taken the partition over; nothing was written
    ├── Unpublishable    the broker refuses records for good, and says which
    ├── OtherTerms       a version of the policy is not what it was
    ├── CannotListen     a port of the process's own is taken
    └── Discontinuity    the log is not the one that was read so far: stop, page, never skip

A record that can never be accepted is `schemas.envelope.Refused`. Anything else is a bug and stops the partition.
"""

from __future__ import annotations

from collections.abc import Sequence


class Failure(Exception):  # noqa: N818 - the tree's root; its leaves are named for what happened
    """A failure that has a name."""


class Transient(Failure):
    """The same step may succeed later; retries are counted by `kind`."""

    kind = "other"


class BrokerAway(Transient):
    """The broker did not answer in time, or asked for a retry."""

    kind = "broker"


class DatabaseAway(Transient):
    """The database did not answer in time, or asked for a retry."""

    kind = "database"


class StatementTimeout(DatabaseAway):
    """The database cancelled the statement after its time limit (SQLSTATE 57014); nothing was written."""

    kind = "statement_timeout"


class OlderPolicy(Transient):
    """A policy version has judged, or is named, that this instance does not have yet."""

    kind = "older_policy"


class OtherTerms(Failure):
    """A policy version has other terms than it was first known with; the message names it and says what to do."""


class Fenced(Transient):
    """Another owner has taken the partition over; nothing was written."""


class Unpublishable(Failure):
    """The broker refuses these `records` for good (too large, or not allowed); they are the objects given."""

    def __init__(self, message: str, records: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.records = records

    def names(self, record: object) -> bool:
        """Whether this very record is refused; an equal one is not."""
        return any(record is each for each in self.records)


class CannotListen(Failure):
    """A port of this process is taken, or its address is not of this machine; the message says which and why."""


class Discontinuity(Failure):
    """A topic was recreated or truncated: the offset to read next does not exist."""
