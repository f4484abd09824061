"""Which database errors are worth another try."""

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from chassis.postgres.database import is_transient, sqlstate_of


def _wrapped(error: Exception) -> DBAPIError:
    """The error as it comes through SQLAlchemy: the driver's own is the cause of its adapter's."""
    adapted = Exception(str(error))
    adapted.__cause__ = error
    return DBAPIError("SELECT 1", {}, adapted)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError("gone"),
        asyncpg.DeadlockDetectedError("both wait"),
        asyncpg.TooManyConnectionsError("full"),
        asyncpg.LockNotAvailableError("held"),
        asyncpg.AdminShutdownError("going down"),
        asyncpg.CannotConnectNowError("starting up"),
        asyncpg.QueryCanceledError("too slow"),
        asyncpg.DiskFullError("full"),
        asyncpg.ReadOnlySQLTransactionError("a replica"),
        asyncpg.InvalidCachedStatementError("migrated meanwhile"),
        asyncpg.InterfaceError("connection is closed"),
        ConnectionResetError("by peer"),
        TimeoutError("no answer"),
    ],
)
def test_may_succeed_later(error: Exception) -> None:
    assert is_transient(error)
    assert is_transient(_wrapped(error))


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.UndefinedTableError("no table"),
        asyncpg.InsufficientPrivilegeError("not yours"),
        asyncpg.UniqueViolationError("known"),
        asyncpg.CharacterNotInRepertoireError("0x00"),
        asyncpg.FeatureNotSupportedError("no"),
        asyncpg.InvalidPasswordError("no"),
    ],
)
def test_will_fail_again(error: Exception) -> None:
    assert not is_transient(error)
    assert not is_transient(_wrapped(error))


def test_other_errors_are_none_of_the_databases() -> None:
    assert not is_transient(KeyError("x"))


def test_sqlstate_is_the_servers_own() -> None:
    assert sqlstate_of(_wrapped(asyncpg.UniqueViolationError("known"))) == "23505"
    assert sqlstate_of(_wrapped(ConnectionResetError("by peer"))) is None
