"""``python -m tests.benchmarks.relay [--report FILE]``: how fast a real relay takes messages in and wakes who waits.

The relay is a process of its own with TLS and a synchronous disk. The load comes from one light process: envelopes are
signed beforehand, requests are written by hand on connections that stay open. On a machine with two cores the two share
what there is. 50 sites; wanted are 1,000 messages a second with 99 % of the answers within 250 ms. Measured:

- ``offered``: 1,000 messages a second for ten seconds, sent when they are due whether or not the earlier ones were
  answered; latency is from when one was due to its answer, which comes after the disk has it;
- ``fetched``: the same while every site waits in long polls, fetches what is for it and acknowledges it, as sites do;
  what was answered must have arrived, each once;
- ``most``: as many as go, each connection sending when it has its answer;
- ``wake``: 49 members wait in long polls, another one sends to all; from its first byte to each poll's whole answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from app.core.clock import SystemClock
from app.core.federation.proxies import ProxySetting
from app.core.federation.relay_client import RelayPost
from app.core.federation.relay_protocol import decode_messages
from app.core.federation.trust import RelayAddress
from app.relay.administration import issue_code
from tests.relay_server import People, RelayProcess, found_federation

MEMBERS = 50
CONNECTIONS = MEMBERS
BODY = 1000
SAVING = 0.1
"""Seconds that a site takes to verify and store what it fetched, before it acknowledges that and asks again."""
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class _Served:
    """What :func:`found_federation` asks of a relay, for one in another process."""

    process: RelayProcess

    def code(self) -> str:
        return issue_code(self.process.directory, days=1, now=SystemClock().now())

    def post(self, federation: bytes, key: object) -> RelayPost:
        return RelayPost(self.process.address, federation, key, proxy=ProxySetting("none"))  # type: ignore[arg-type]


def request(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    """Return a request as it goes over the line."""
    head = f"{method} {path} HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def ask(stream: Stream, data: bytes) -> int:
    """Send a request and read its whole answer; return the status."""
    return (await fetch(stream, data))[0]


async def fetch(stream: Stream, data: bytes) -> tuple[int, bytes]:
    """Send a request; return the status and the body of the answer."""
    reader, writer = stream
    writer.write(data)
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
    body = await reader.readexactly(int(length or 0))
    return int(head.split(b" ", 2)[1]), body


async def connect(address: RelayAddress, count: int) -> list[Stream]:
    """Open connections."""
    context = address.context()
    return [await asyncio.open_connection(address.host, address.port, ssl=context) for _ in range(count)]


def prepared(people: People, tokens: dict[int, str], count: int) -> list[bytes]:
    """Return signed messages from everybody to their neighbour, as requests."""
    found = []
    for number in range(count):
        sender = number % MEMBERS + 1
        message = people.message(sender, (sender % MEMBERS + 1,), os.urandom(BODY))
        found.append(request("POST", "/v1/messages", tokens[sender], message))
    return found


async def offered(streams: list[Stream], messages: list[bytes], rate: float) -> list[float]:
    """Send ``rate`` messages a second, come what may; return the latencies."""
    free: asyncio.Queue[Stream] = asyncio.Queue()
    for stream in streams:
        free.put_nowait(stream)
    latencies: list[float] = []
    began = time.perf_counter()

    async def one(due: float, message: bytes) -> None:
        stream = await free.get()
        assert await ask(stream, message) == 201
        free.put_nowait(stream)
        latencies.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as tasks:
        for number, message in enumerate(messages):
            due = began + number / rate
            if (pause := due - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            tasks.create_task(one(due, message))
    return latencies


async def read(stream: Stream, token: str, done: asyncio.Event) -> int:
    """Fetch and acknowledge what comes for one site until ``done`` and nothing is left; return how much it was."""
    after = found = 0
    while True:
        ending = done.is_set()
        wait = 0 if ending else 1
        status, body = await fetch(stream, request("GET", f"/v1/messages?after={after}&wait={wait}", token))
        assert status == 200
        messages = decode_messages(body)
        if not messages and ending:
            return found
        found += len(messages)
        if messages:
            await asyncio.sleep(SAVING)
            after = messages[-1][0]
            assert await ask(stream, request("DELETE", f"/v1/messages?through={after}", token)) == 204


async def fetched(
    streams: list[Stream], readers: list[Stream], tokens: dict[int, str], messages: list[bytes], rate: float
) -> list[float]:
    """As :func:`offered` while all sites fetch and acknowledge; return the latencies of sending."""
    done = asyncio.Event()
    reading = [asyncio.create_task(read(readers[place - 1], token, done)) for place, token in tokens.items()]
    latencies = await offered(streams, messages, rate)
    done.set()
    arrived = await asyncio.gather(*reading)
    assert sum(arrived) == len(messages), f"{sum(arrived)} of {len(messages)} arrived"
    return latencies


async def most(streams: list[Stream], messages: list[bytes]) -> float:
    """Send all messages as fast as answers come; return messages a second."""
    waiting = iter(messages)

    async def run(stream: Stream) -> None:
        for message in waiting:
            assert await ask(stream, message) == 201

    began = time.perf_counter()
    await asyncio.gather(*map(run, streams))
    return len(messages) / (time.perf_counter() - began)


async def wake(streams: list[Stream], people: People, tokens: dict[int, str], rounds: int) -> list[list[float]]:
    """Let everybody but member 1 wait, send to all, and return when each woke."""
    found = []
    for _ in range(rounds):
        after = SystemClock().now()
        for place, stream in enumerate(streams[1:MEMBERS], start=2):
            await ask(stream, request("DELETE", f"/v1/messages?through={after}", tokens[place]))
        message = request("POST", "/v1/messages", tokens[1], people.message(1, (), os.urandom(BODY)))
        woken: list[float] = []

        async def poll(place: int, after: int = after, woken: list[float] = woken) -> None:
            path = f"/v1/messages?after={after}&wait=25"
            assert await ask(streams[place - 1], request("GET", path, tokens[place])) == 200
            woken.append(time.perf_counter())

        polls = [asyncio.create_task(poll(place)) for place in range(2, MEMBERS + 1)]
        await asyncio.sleep(0.3)
        began = time.perf_counter()
        assert await ask(streams[0], message) == 201
        await asyncio.gather(*polls)
        found.append([when - began for when in woken])
    return found


def percentile(values: list[float], part: float) -> float:
    """Return a percentile in milliseconds."""
    return round(sorted(values)[min(len(values) - 1, int(len(values) * part))] * 1000, 2)


def measure(directory: Path, seconds: int = 10, rate: int = 1000) -> dict[str, object]:
    """Run all measurements on a fresh relay."""
    with RelayProcess(directory) as process:
        people = found_federation(_Served(process), MEMBERS)  # type: ignore[arg-type]
        tokens = {place: post._open_session().token for place, post in people.posts.items()}
        first, second, third = (prepared(people, tokens, rate * seconds) for _ in range(3))

        async def run() -> dict[str, object]:
            streams = await connect(process.address, CONNECTIONS)
            await most(streams, prepared(people, tokens, 500))  # warm up
            latencies = await offered(streams, first, rate)
            readers = await connect(process.address, MEMBERS)
            for place, token in tokens.items():  # what was sent until now
                through = SystemClock().now() + 60_000
                await ask(readers[place - 1], request("DELETE", f"/v1/messages?through={through}", token))
            busy = await fetched(streams, readers, tokens, third, rate)
            fastest = await most(streams, second)
            woken = await wake(streams, people, tokens, 20)
            for _, writer in streams + readers:
                writer.transport.abort()
            last = [max(each) for each in woken]
            return {
                "sites": MEMBERS,
                "offered_per_second": rate,
                "p50_ms": percentile(latencies, 0.5),
                "p99_ms": percentile(latencies, 0.99),
                "most_ms": percentile(latencies, 1.0),
                "fetched_p50_ms": percentile(busy, 0.5),
                "fetched_p99_ms": percentile(busy, 0.99),
                "fetched_most_ms": percentile(busy, 1.0),
                "most_per_second": round(fastest),
                "wake_median_ms": round(statistics.median([when for each in woken for when in each]) * 1000, 2),
                "wake_of_last_median_ms": round(statistics.median(last) * 1000, 2),
                "wake_of_last_worst_ms": round(max(last) * 1000, 2),
            }

        found = asyncio.run(run())
        for post in people.posts.values():
            post.close()
        return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.relay")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the results to FILE (JSON)")
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="consilium-relay-") as directory:
        found = measure(Path(directory), options.seconds)
    about = {"cores": os.cpu_count(), "python": platform.python_version(), "load": round(os.getloadavg()[0], 1)}
    text = json.dumps({**about, "relay": found}, indent=2)
    print(text)
    if options.report:
        options.report.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
