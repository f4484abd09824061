"""Errors in logs: never a message that is not ours."""

import asyncio
import contextlib
import io
import json
import logging
from collections.abc import Callable, Iterator

import asyncpg
import pytest
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import DBAPIError

from chassis.process.failures import DatabaseAway
from chassis.process.logs import logger, said, set_up, traced
from chassis.process.run import _nobody_awaited
from chassis.process.settings import Log

SECRET = "ada@example.com"


class Age(BaseModel):
    years: int


def _validation() -> Exception:
    try:
        Age.model_validate({"years": SECRET})
    except ValidationError as error:
        return error
    raise AssertionError


def _database() -> Exception:
    driver = asyncpg.InvalidTextRepresentationError(f'invalid input syntax for type json: "{SECRET}"')
    return DBAPIError(f"INSERT {SECRET}", {"data": SECRET}, driver)


ERRORS = {"ValidationError": _validation(), "DBAPIError 22P02": _database(), "ValueError": ValueError(SECRET)}


@pytest.fixture
def lines() -> Iterator[Callable[[], list[str]]]:
    """What is logged from now on, as a service writes it; the root logger is as before afterwards."""
    root, out = logging.getLogger(), io.StringIO()
    before, level = list(root.handlers), root.level
    with contextlib.redirect_stdout(out):
        set_up(Log(), "scorer")
    yield lambda: out.getvalue().splitlines()
    root.handlers, root.level = before, level


def _raised(error: Exception) -> Exception:
    try:
        _raises(error)
    except KeyError as outer:
        return outer
    raise AssertionError


def _raises(error: Exception) -> None:
    try:
        raise error  # noqa: TRY301 - it has to have a trace
    except Exception as cause:
        raise KeyError(SECRET) from cause


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_said_and_traced_without_its_message(name: str) -> None:
    error = ERRORS[name]
    assert said(error) == name
    trace = traced(_raised(error))
    assert SECRET not in trace
    assert "in _raises" in trace
    assert f"\n{name}\n" in trace
    assert trace.splitlines()[-1].startswith("KeyError")
    assert SECRET not in traced(ExceptionGroup("both", [_raised(error)]))


def test_a_failure_is_told_in_its_own_words() -> None:
    assert said(DatabaseAway("database: 57014")) == "database: 57014"


def test_no_log_line_quotes_an_error(lines: Callable[[], list[str]]) -> None:
    for error in ERRORS.values():
        raised = _raised(error)
        logger("tests").error("stopped", exc_info=raised)
        logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=raised)
        logging.getLogger("aiokafka").error("Fetch from %s failed: %s", 1, error)
        logging.getLogger("aiokafka").error(error)
    written = lines()
    assert len(written) == 4 * len(ERRORS)
    assert [line for line in written if SECRET in line] == []
    assert all("KeyError" in json.loads(line)["exception"] for line in (written[0], written[1]))
    assert json.loads(written[2])["event"] == "Fetch from 1 failed: ValidationError"


async def test_a_task_that_nobody_awaited_is_told_without_its_error(lines: Callable[[], list[str]]) -> None:
    async def fails() -> None:
        raise ValueError(SECRET)

    asyncio.get_running_loop().set_exception_handler(_nobody_awaited)
    task = asyncio.create_task(fails())
    await asyncio.wait({task})
    del task
    await asyncio.sleep(0)
    [line] = lines()
    assert SECRET not in line
    assert json.loads(line)["exception"].endswith("ValueError")
