"""Serves a service that has partition workers: process, ops port, supervisor."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.kafka.consumer import Consumer
from chassis.kafka.publisher import Publisher
from chassis.partition.journal import journals
from chassis.partition.supervisor import Supervisor
from chassis.partition.worker import Links
from chassis.postgres import migrations
from chassis.postgres.agreed import agree
from chassis.postgres.database import engine_of
from chassis.process.failures import Transient
from chassis.process.following import follow
from chassis.process.logs import logger
from chassis.process.metrics import Outcome, ProducerCollector, WorkerCollector
from chassis.process.ops import serving
from chassis.process.run import run
from chassis.process.settings import JudgeSettings
from chassis.service import Service


def serve(
    settings: JudgeSettings,
    service: Service[Any],
    outcomes: Sequence[Outcome] = (),
    *,
    resume: bool = False,
    set_aside: frozenset[tuple[int, int]] = frozenset(),
) -> None:
    """Runs a service's partition workers and its ops port until told to stop; exits as `run` does.

    `resume` continues a partition that stopped at the limit of failures; `set_aside` names outbox rows that the broker
    refuses, which are then published to `events-rejected` (`Links`).
    """

    async def main(stop: asyncio.Event) -> None:
        registry = CollectorRegistry()
        engine = engine_of(settings.database, service.name)
        async with Publisher(settings.kafka) as publisher:
            consumer = Consumer(settings.kafka, service.name, tuple(service.inputs))
            links = Links(consumer, publisher, journals(engine), settings.worker, resume, set_aside)
            supervisor = Supervisor(service, links)
            registry.register(WorkerCollector(service.name, supervisor, outcomes))
            registry.register(ProducerCollector(service.name, publisher))
            async with serving(service.name, settings.ops, supervisor.ready, registry), asyncio.TaskGroup() as tasks:
                await _await_database(settings, service, engine, stop)
                following = tasks.create_task(follow(service.policies, partial(agree, engine)), name="policies")
                await supervisor.run(stop)
                following.cancel()
        await engine.dispose()

    run(main, settings.log, service.name)


async def _await_database(
    settings: JudgeSettings, service: Service[Any], engine: AsyncEngine, stop: asyncio.Event
) -> None:
    """Raises WrongSchema, OtherTerms."""
    while not stop.is_set():
        try:
            await migrations.check(settings.database, service.name)
            await agree(engine, service.policies)
            return
        except Transient as error:
            logger(__name__).warning("database_not_reached", reason=str(error))
            await asyncio.sleep(1)
