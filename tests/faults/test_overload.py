"""More than rproxy can do: clients that flood it get their share, others are served, and nothing grows."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

import psutil
import pytest

from rproxy.demo.embedded import EmbeddedCluster
from tests.support import figures
from tests.support.client import pack
from tests.support.load import Load
from tests.support.proxy import Proxy
from tests.support.waiting import await_true

PIPELINE = 100_000
"""Commands that a flooding client sends at once."""
KEYS = 1000
"""Keys of a command that is split."""
FLOODS = {
    "100,000 GET": b"".join(pack("GET", f"flood:{number}") for number in range(PIPELINE)),
    "100,000 PING": pack("PING") * PIPELINE,
    "100 MGET of 1000 keys": pack("MGET", *(f"flood:{number}" for number in range(KEYS))) * (PIPELINE // KEYS),
}
SERVED = 5.0
"""Seconds that no command of a good client may take beside floods: far above what is measured, far below starving."""
MEMORY = 256 * 1024 * 1024
"""Bytes that rproxy may grow by under floods: eight clients, each with its bounds."""


class Flood:
    """A client that sends the same pipeline for ever and takes every reply."""

    def __init__(self, port: int, pipeline: bytes) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 30)
        self._threads = [
            threading.Thread(target=work, args=arguments, daemon=True)
            for work, arguments in ((self._send, (pipeline,)), (self._receive, ()))
        ]
        self.received = 0
        self.refused = 0

    def _send(self, pipeline: bytes) -> None:
        with suppress(OSError):
            while True:
                self._socket.sendall(pipeline)

    def _receive(self) -> None:
        with suppress(OSError):
            while data := self._socket.recv(1 << 20):
                self.received += len(data)
                self.refused += data.count(b"\n-") + data.startswith(b"-")

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)
        self._socket.close()


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    """One that nothing here breaks."""
    with EmbeddedCluster(replicas=0) as cluster:
        yield cluster


@pytest.fixture
def proxy(cluster: EmbeddedCluster) -> Iterator[Proxy]:
    with Proxy(["--seed", cluster.seeds]) as proxy:
        yield proxy


@pytest.mark.parametrize("kind", FLOODS)
@pytest.mark.parametrize("clients", [pytest.param(1, marks=figures.whole_suite), 8])
def test_floods_starve_nobody(proxy: Proxy, kind: str, clients: int) -> None:
    process = psutil.Process(proxy.pid)
    with proxy.client() as client:
        for number in range(KEYS):
            client.send(pack("SET", f"flood:{number}", "v"))
        assert {client.read_reply() for _ in range(KEYS)} == {b"+OK\r\n"}
    before = process.memory_info().rss
    with ExitStack() as stack:
        load = stack.enter_context(Load(proxy.port, [[f"good:{number}"] for number in range(4)]))
        floods = [stack.enter_context(Flood(proxy.port, FLOODS[kind])) for _ in range(clients)]
        await_true(lambda: all(flood.received for flood in floods), 30)
        began, until = load.go_on(2.0)
        grown = process.memory_info().rss - before
        # A client that comes now is served, and so is an operator.
        with proxy.client() as late:
            assert late.command("PING") == b"+PONG\r\n"
        assert proxy.metrics().total("rproxy_upstream_requests_parked") == 0
    journal = load.journal
    assert (journal.broken, journal.errors(), journal.wrong) == ([], [], [])
    assert [flood.refused for flood in floods] == [0] * clients
    waits = sorted(entry.latency for entry in journal.entries if began <= entry.ended <= until)
    assert waits[-1] < SERVED
    assert grown < MEMORY
    await_true(lambda: proxy.metrics().total("rproxy_upstream_requests_in_flight") == 0)
    what = f"other clients wait beside {clients} that pipeline {kind}: half, 99 %"
    figures.note("floods", what, f"{_at(waits, 0.5)}, {_at(waits, 0.99)}")
    figures.note("floods", "errors to any client", "0")


def _at(waits: list[float], share: float) -> str:
    return f"{waits[int(share * (len(waits) - 1))] * 1000:.0f} ms"
