"""A load of our own, for what redis-benchmark cannot send (a mix of commands) or where it is not installed.

Each client writes a batch of ``pipeline`` commands, waits for all its replies, and writes the next. Batches are made
before the clock starts. A latency is that of a batch, as redis-benchmark reports it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import cast

import hiredis
import uvloop

from benchmarks.cases import RANDOM, Case, Command
from benchmarks.load import LoadError, LoadReport

HOST = "127.0.0.1"
_TIMEOUT = 300
_BATCHES = 1000
_SEED = 1


class PipelineLoad:
    """Runs in this process, on a loop of its own."""

    name = "pipeline load"

    def can_run(self, case: Case) -> bool:
        """Always."""
        return True

    def run(self, case: Case, port: int, commands: int) -> LoadReport:
        """One run. Raises ``LoadError``."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(case, port, commands))


def batches_of(case: Case, count: int) -> list[bytes]:
    """``count`` batches of the case's mix at random, the same ones every time."""
    chance = random.Random(_SEED)
    weights = [command.weight for command in case.mix]
    return [
        b"".join(_encode(command, chance) for command in chance.choices(case.mix, weights, k=case.pipeline))
        for _ in range(count)
    ]


def _encode(command: Command, chance: random.Random) -> bytes:
    words = [word.replace(RANDOM, f"{chance.randrange(command.dataset.keys):012d}") for word in command.words]
    encoded: bytes = hiredis.pack_command(tuple(words))  # type: ignore[arg-type] # its stub says a tuple of one
    return encoded


async def _run(case: Case, port: int, commands: int) -> LoadReport:
    loop = asyncio.get_running_loop()
    run = _Run(cycle(batches_of(case, _BATCHES)), case.pipeline, -(-commands // case.pipeline), loop.create_future())
    try:
        clients = [(await loop.create_connection(lambda: _Client(run), HOST, port))[1] for _ in range(case.clients)]
    except OSError as error:
        raise LoadError(f"no connection to port {port}: {error.strerror}") from None
    started = time.perf_counter()
    for client in clients:
        client.write_next()
    try:
        await asyncio.wait_for(run.is_done, _TIMEOUT)
    except TimeoutError:
        raise LoadError(f"the load was not done in {_TIMEOUT} s") from None
    seconds = time.perf_counter() - started
    for client in clients:
        client.close()
    return report_of(run.latencies, case.pipeline, seconds)


def report_of(latencies: Sequence[float], pipeline: int, seconds: float) -> LoadReport:
    """The report of batches of ``pipeline`` commands that took ``latencies``, over ``seconds`` in all."""
    ordered = sorted(latencies)
    p50, p99 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99))
    commands = len(ordered) * pipeline
    return LoadReport(commands, commands / seconds, p50, p99)


class _Run:
    """What the clients of one run share: the batches still to be sent, and the latencies of those answered."""

    def __init__(
        self, batches: Iterator[bytes], pipeline: int, batch_count: int, is_done: asyncio.Future[None]
    ) -> None:
        self.batches = islice(batches, batch_count)
        self.pipeline = pipeline
        self.latencies: list[float] = []
        self.is_done = is_done
        self._batch_count = batch_count

    def answer(self, seconds: float) -> None:
        """One more batch was answered."""
        self.latencies.append(seconds)
        if len(self.latencies) == self._batch_count and not self.is_done.done():
            self.is_done.set_result(None)

    def fail(self, text: str) -> None:
        """Give up."""
        if not self.is_done.done():
            self.is_done.set_exception(LoadError(text))


class _Client(asyncio.Protocol):
    """One connection: a batch at a time."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._reader = hiredis.Reader()
        self._pending = 0
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def write_next(self) -> None:
        """Send the next batch, if one is left."""
        batch = next(self._run.batches, None)
        if batch is not None:
            self._pending = self._run.pipeline
            self._sent_at = time.perf_counter()
            self._transport.write(batch)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            if isinstance(reply, hiredis.ReplyError):
                self._run.fail(f"the proxy answered: {reply}")
                return
            self._pending -= 1
        if not self._pending:
            self._run.answer(time.perf_counter() - self._sent_at)
            self.write_next()

    def connection_lost(self, error: Exception | None) -> None:
        self._run.fail("the proxy closed a connection")

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()
