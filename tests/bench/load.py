"""A load generator in its own process: makes requests beforehand, then sends them as fast as they are answered.

`python -m tests.bench.load PORT CONNECTIONS REQUESTS BATCH SEED` warms up, prints a line, waits for one, sends, and
prints `Answers` as JSON. Each connection is kept alive and has one request at a time.
"""

import asyncio
import base64
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import islice

import typer

from tests.bench import workload

WRITE_KEY = "pk_demo_tracker"
LEADS = 10_000
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Answers:
    """Seconds from the first request to the last answer, milliseconds that one takes, and how many had which status.

    `sent` and `statuses` count the warm-up too, the rest does not.
    """

    seconds: float
    p50: float
    p99: float
    sent: int
    statuses: dict[str, int]


def call(number: int, chance: random.Random) -> dict[str, object]:
    """A track call of about 400 bytes with its own id, by one of 10,000 leads.

    Its only identifier is a userId, so that it becomes exactly one record, without a link.
    """
    kind, content = chance.choice(workload.KINDS)
    moment = workload.START + timedelta(milliseconds=50 * (number % workload.PERIOD))
    return {
        "type": "track",
        "event": kind.replace("_", " ").title(),
        "userId": f"bench-{chance.randrange(LEADS)}",
        "messageId": f"bench-{number:012d}",
        "timestamp": moment.isoformat(),
        "sentAt": workload.START.isoformat(),
        "properties": {
            "content": content,
            "path": f"/{content}",
            "referrer": "https://www.example.com/",
            "width": 1440,
        },
        "context": {"campaign": {"name": "autumn", "medium": "email"}, "library": {"name": "bench", "version": "1.0"}},
    }


def requests(count: int, batch: int, seed: int) -> Iterator[bytes]:
    """`count` requests as bytes: single calls, or batches of `batch` when that is more than one."""
    chance = random.Random(seed)
    key = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
    for first in range(seed * count * batch, (seed + 1) * count * batch, batch):
        calls = [call(first + nth, chance) for nth in range(batch)]
        body = json.dumps({"batch": calls} if batch > 1 else calls[0], separators=(",", ":")).encode()
        head = (
            f"POST /v1/{'batch' if batch > 1 else 'track'} HTTP/1.1\r\nHost: bench\r\nAuthorization: Basic {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        yield head.encode() + body


class Connection(asyncio.Protocol):
    """Sends the next request when the last one is answered."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.statuses: Counter[str] = Counter()
        self._transport: asyncio.WriteTransport
        self._left: Iterator[bytes] = iter(())
        self._answered: asyncio.Future[None]
        self._sent_at = 0.0
        self._received = b""

    async def send(self, left: Iterator[bytes]) -> None:
        """Sends requests from the shared iterator until it is empty. Raises ConnectionError."""
        self._left = left
        self._answered = asyncio.get_running_loop().create_future()
        self._next()
        await self._answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or length is None or len(body) < int(length[1]):
            return
        self.latencies.append(time.perf_counter() - self._sent_at)
        self.statuses[head[9:12].decode()] += 1
        self._received = b""
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._answered.done():
            self._answered.set_exception(ConnectionError(f"closed with a request under way: {error}"))

    def _next(self) -> None:
        request = next(self._left, None)
        if request is None:
            self._answered.set_result(None)
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


async def send(port: int, connections: int, made: list[bytes]) -> Answers:
    """The warm-up, then the rest once standard input has a line."""
    loop = asyncio.get_running_loop()
    opened = [(await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(connections)]
    left = iter(made)
    warm_up = islice(left, len(made) // 20)
    await asyncio.gather(*(connection.send(warm_up) for connection in opened))
    for connection in opened:
        connection.latencies.clear()
    print("warm", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    started = time.perf_counter()
    await asyncio.gather(*(connection.send(left) for connection in opened))
    seconds = time.perf_counter() - started
    latencies = sorted(1000 * latency for connection in opened for latency in connection.latencies)
    statuses = sum((connection.statuses for connection in opened), Counter[str]())
    p50, p99 = (latencies[len(latencies) * percent // 100] for percent in (50, 99))
    return Answers(seconds, p50, p99, len(made), dict(statuses))


def main(port: int, connections: int, count: int, batch: int, seed: int) -> None:
    """Sends `count` requests and a twentieth more as warm-up."""
    made = list(requests(count + count // 20, batch, seed))
    print(json.dumps(asdict(asyncio.run(send(port, connections, made)))))


if __name__ == "__main__":
    typer.run(main)
