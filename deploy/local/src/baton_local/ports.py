"""TCP ports of this machine: free ones for tests, and a check that wanted ones are free."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Mapping
from contextlib import ExitStack, suppress

from baton_local.errors import LocalError

Wanted = tuple[str, int, str]
"""Host, port, and the option that changes the port."""


FREE = range(20_000, 32_000)
"""Below the ports that systems give to outgoing connections: nobody's connection can take one before its server does,
and a client that polls a port not yet open can never connect to itself."""


def free_ports(count: int) -> list[int]:
    """Distinct ports that nobody listens on; all are held at once, so that no two are the same."""
    with ExitStack() as held:
        return [_hold(held) for _ in range(count)]


def _hold(held: ExitStack) -> int:
    while True:
        port = secrets.choice(FREE)
        probe = held.enter_context(socket.socket())
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def require_free(wanted: Mapping[str, Wanted]) -> None:
    """Every port wanted for something can be listened on, or LocalError says which cannot and why."""
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
        # A port in TIME_WAIT after the run before is free; without this it would look taken for a minute.
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
