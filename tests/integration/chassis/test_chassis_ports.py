"""The ports that a process listens on."""

import json
import os
import socket
import subprocess
import sys

import httpx
import pytest
from starlette.responses import PlainTextResponse

from baton_local.ports import HeldPorts
from chassis.process.ops import listening


@pytest.mark.parametrize(
    ("service", "variable"),
    [("ingest", "BATON_HTTP__PORT"), ("ingest", "BATON_OPS__PORT"), ("scorer", "BATON_OPS__PORT")],
)
def test_process_whose_port_is_taken_says_which_and_ends(service: str, variable: str) -> None:
    """One sentence and no traceback: it is the operator's to mend."""
    with socket.create_server(("127.0.0.1", 0)) as other, HeldPorts() as held:
        port = other.getsockname()[1]
        ports = {"BATON_HTTP__PORT": str(held.take()), "BATON_OPS__PORT": str(held.take()), variable: str(port)}
        command = [sys.executable, "-m", service, "serve"]
        ended = subprocess.run(
            command, env={**os.environ, **ports}, capture_output=True, text=True, timeout=60, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr == ""
    [error] = [line for line in map(json.loads, ended.stdout.splitlines()) if line["level"] == "error"]
    assert error["event"] == "cannot_listen"
    assert f"port {port} on 127.0.0.1: Address already in use" in error["reason"]
    assert "exception" not in error


async def test_answers_do_not_wait_for_the_acknowledgement_of_their_first_segment() -> None:
    """Nagle's algorithm is off: with it on, an answer of two writes takes 40 ms longer."""
    async with (
        listening(PlainTextResponse("ok"), "127.0.0.1", 0) as server,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        port = server.servers[0].sockets[0].getsockname()[1]
        assert (await http.get(f"http://127.0.0.1:{port}/")).text == "ok"
        [connection] = server.server_state.connections
        accepted = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
