"""A database's message about a value appears neither in the log nor on the ops port."""

import contextlib
import io
import logging
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from chassis.process.logs import set_up
from chassis.process.metrics import WorkerCollector
from chassis.process.settings import Log
from tests.infrastructure import connected
from tests.integration.chassis.counting import Counting
from tests.integration.chassis.driving import House, engaged, leads, record
from tests.until import until

SECRET = "PERSONAL"
SAYS = """
CREATE FUNCTION says() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'invalid input "PERSONAL"' USING ERRCODE = '{state}', DETAIL = 'Key (email)=(PERSONAL)';
END $$;
CREATE TRIGGER says BEFORE {when} FOR EACH ROW EXECUTE FUNCTION says()
"""
BROKEN = {
    "commit refused": SAYS.format(state="22P02", when="INSERT ON fact"),
    "commit failed": SAYS.format(state="XX001", when="INSERT ON fact"),
    "commit tried again": SAYS.format(state="40001", when="INSERT ON fact"),
    "claim failed": SAYS.format(state="XX001", when="INSERT OR UPDATE ON partition"),
    "state not read": """UPDATE lead SET state = '{"PERSONAL": "PERSONAL"}'""",
}
"""What is wrong -> how it came to be."""


@pytest.fixture
def logged() -> Iterator[Callable[[], str]]:
    """What is logged from now on, as a service writes it; the root logger is as before afterwards."""
    root, out = logging.getLogger(), io.StringIO()
    before, level = list(root.handlers), root.level
    with contextlib.redirect_stdout(out):
        set_up(Log(), "scorer")
    yield out.getvalue
    root.handlers, root.level = before, level


@pytest.mark.parametrize("what", BROKEN)
async def test_an_error_that_quotes_a_value_is_told_without_it(
    what: str, house: House, logged: Callable[[], str]
) -> None:
    [ada] = leads(0, 1)
    async with house.running() as supervisor:
        await house.publish(record(engaged("1", ada, campaign=SECRET)))
        await until(lambda: house.counted("facts", 1), "the first fact", 60)
    async with connected(house.room.url, "scorer") as connection:
        await connection.execute(BROKEN[what])
    await house.publish(record(engaged("2", ada, "boom", campaign=SECRET)), record(engaged("3", ada, campaign=SECRET)))

    async def noticed() -> bool:
        return any(f'"level": "{level}"' in logged() for level in ("warning", "error"))

    async with house.running(Counting()) as supervisor:
        registry = CollectorRegistry()
        registry.register(WorkerCollector("scorer", supervisor, ()))
        await until(noticed, what, 60)
        told = [logged(), supervisor.ready() or "", generate_latest(registry).decode()]
    assert [text for text in told if SECRET in text] == []
