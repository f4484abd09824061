"""Logs: one JSON object a line on standard output; an event name and fields, never a payload or personal data."""

from __future__ import annotations

import logging
import sys

import structlog

from chassis.settings import Log

_THIRD_PARTIES = {"aiokafka": "WARNING", "uvicorn": "WARNING", "sqlalchemy": "WARNING", "alembic": "WARNING"}


def set_up(log: Log, service: str) -> None:
    """Sends structlog's and the standard library's records through one JSON writer."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
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
    """A logger; its records carry what the running task has bound (service, partition)."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound
