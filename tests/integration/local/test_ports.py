"""A held port is given to no other process: before its server starts, between restarts, and after it."""

import socket
import struct
import sys
from pathlib import Path

import pytest

from baton_local.kafka import Kafka
from baton_local.ports import HeldPorts
from baton_local.postgres import Postgres
from tests.infrastructure import connected

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a port cannot be held for a server")
IP_LOCAL_PORT_RANGE = 51
"""Socket option of Linux >= 6.3: the system's choice for this socket lies between two ports."""


def test_a_held_port_is_given_to_nobody_and_its_server_listens_on_it_again_and_again() -> None:
    with HeldPorts() as held:
        port = held.take()
        for _ in range(2):
            others_get_nothing(port)
            with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
                pass
        others_get_nothing(port)
    with socket.socket() as anybody:
        anybody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the last connection's end is remembered
        anybody.bind(("127.0.0.1", port))


async def test_kafka_and_postgres_listen_on_held_ports_life_after_life(data: Path) -> None:
    with HeldPorts() as held:
        kafka_port, controller, postgres_port = held.take(), held.take(), held.take()
        kafka = Kafka(data.parent / "kafka", data.parent / "kafka.log", kafka_port, controller)
        postgres = Postgres(data.parent / "postgres", data.parent / "postgres.log", postgres_port, durable=False)
        for _ in range(2):
            for port in (kafka_port, controller, postgres_port):
                others_get_nothing(port)
            try:
                await kafka.start()
                await postgres.start()
                async with connected(postgres.url("postgres")):
                    pass
            finally:
                await kafka.stop(3)
                await postgres.stop(3)


def others_get_nothing(port: int) -> None:
    """Neither by asking for this port, nor as the system's choice for a server or for an outgoing connection."""
    with socket.socket() as thief, pytest.raises(OSError, match="Address already in use"):
        thief.bind(("127.0.0.1", port))
    with only(port) as server, pytest.raises(OSError, match="Address already in use"):
        server.bind(("127.0.0.1", 0))
    with (
        socket.create_server(("127.0.0.1", 0)) as somewhere,
        only(port) as client,
        pytest.raises(OSError, match="Cannot assign requested address"),
    ):
        client.connect(somewhere.getsockname())


def only(port: int) -> socket.socket:
    """A socket for which the system may choose this port and no other."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("=HH", port, port))
    except OSError:
        made.close()
        pytest.skip("Linux before 6.3 cannot narrow the choice down")
    return made
