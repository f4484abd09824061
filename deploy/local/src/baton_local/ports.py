"""TCP ports of this machine: held ones for tests, and a check that the wanted ones are free."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from baton_local.errors import LocalError

Wanted = tuple[str, int, str]
"""Host, port, and the option that changes the port."""


class HeldPorts:
    """Ports of 127.0.0.1 chosen by the system and given to no other process until `close`, for servers that are given a
    port.

    Each is bound here and never listened on: Linux lets a server with SO_REUSEADDR (Kafka, Postgres, asyncio and
    uvicorn set it) listen beside it, and gives the port neither to a bind to port 0 nor to an outgoing connection.
    Elsewhere such a bind would refuse the server too, so there a port is only looked up.
    """

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def take(self) -> int:
        """One more port."""
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port = int(held.getsockname()[1])
        if sys.platform == "linux":
            self._sockets.append(held)
        else:
            held.close()
        return port

    def close(self) -> None:
        """Releases them; may be called again."""
        while self._sockets:
            self._sockets.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def require_free(wanted: Mapping[str, Wanted]) -> None:
    """Every wanted port can be listened on, or LocalError says which cannot and why."""
    taken: dict[tuple[str, int], str] = {}
    for what, (host, port, option) in wanted.items():
        if (host, port) in taken:
            raise LocalError(f"Port {port} is asked for twice, by {taken[host, port]} and {what}: change {option}.")
        taken[host, port] = what
        _require_free(what, host, port, option)


def _require_free(what: str, host: str, port: int, option: str) -> None:
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise LocalError(f"The address {host} for {what} is unknown: {error.strerror}.") from error
    with socket.socket(family, kind) as probe:
        # a port in TIME_WAIT after the last run is free; without this it would look taken for a minute
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise LocalError(
                    f"Port {port}, wanted for {what}, is in use by another program: stop it or choose another "
                    f"with {option}."
                ) from error
            raise LocalError(f"{what} cannot listen on {host}:{port}: {error.strerror}.") from error
