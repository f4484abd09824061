"""Logs: one JSON object a line on standard output; an event name and fields, never a payload or personal data.

The message of a library's error may quote its input (a database's does, pydantic's too). So such an error is logged as
class, SQLSTATE and place; only the message of a Failure, which is ours, is logged.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import structlog

from chassis.process.failures import Failure
from chassis.process.settings import Log

_THIRD_PARTIES = {"aiokafka": "WARNING", "uvicorn": "WARNING", "sqlalchemy": "WARNING", "alembic": "WARNING"}


def said(error: BaseException) -> str:
    """What anyone may read of an error: its message where it is ours, else its class and SQLSTATE."""
    if isinstance(error, Failure):
        return str(error)
    states = (state for each in _chain(error) if isinstance(state := getattr(each, "sqlstate", None), str))
    return " ".join((type(error).__name__, *([state] if (state := next(states, "")) else [])))


def traced(error: BaseException) -> str:
    """The error as Python's traceback, the cause first, with `said` in place of the messages."""
    parts = []
    for each in reversed(list(_chain(error))):
        parts += [*traceback.format_tb(each.__traceback__), f"{said(each)}\n"]
        if isinstance(each, BaseExceptionGroup):
            parts += [f"of the group: {traced(inner)}\n" for inner in each.exceptions]
    return "".join(parts).rstrip()


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, its cause, the cause's cause and so on, each once."""
    seen = list[BaseException]()
    each: BaseException | None = error
    while each is not None and not any(each is other for other in seen):
        seen.append(each)
        yield each
        each = (
            getattr(each, "orig", None) or each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        )


def _no_messages(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    error: Any = event.pop("exc_info", None)
    if error:
        error = (
            error[1] if isinstance(error, tuple) else error if isinstance(error, BaseException) else sys.exc_info()[1]
        )
    if error:
        event["exception"] = traced(error)
    return event


def _plain_arguments(record: logging.LogRecord) -> bool:
    """Replaces errors among the arguments of a library's record by `said`."""
    if isinstance(record.args, tuple):
        record.args = tuple(said(each) if isinstance(each, BaseException) else each for each in record.args)
    if isinstance(record.msg, BaseException):
        record.msg = said(record.msg)
    return True


def set_up(log: Log, service: str) -> None:
    """Sends structlog's and the standard library's records through one JSON writer."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _no_messages,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_plain_arguments)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(sort_keys=True),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=log.level, force=True)
    for name, level in _THIRD_PARTIES.items():
        logging.getLogger(name).setLevel(level)
    structlog.contextvars.bind_contextvars(service=service)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; its records have the fields that the running task has bound (service, partition)."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound
