"""SIGTERM: nobody is accepted any more, what is in flight is answered, and the end comes within the limit."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from rproxy.demo.embedded import EmbeddedCluster
from tests.support import figures
from tests.support.client import RawClient, pack
from tests.support.proxy import Proxy, config_of
from tests.support.waiting import await_true

LIMIT = 4.0
"""Seconds of the drain: longer than what is in flight takes, and short enough to wait for."""
GRACE = 6.0
"""Seconds for everything besides, on a machine that has other things to do."""
BIG = 32 * 2**20


def is_accepting(port: int) -> bool:
    try:
        with RawClient(port, timeout=5) as client:
            return client.command("PING") == b"+PONG\r\n"
    except OSError:
        return False


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=figures.whole_suite)])
def test_a_drain_answers_what_is_in_flight(cluster: EmbeddedCluster, workers: int) -> None:
    value = hashlib.sha256(b"big").digest() * (BIG // 32)
    config = {**config_of(cluster.seeds), "workers": workers, "drain_timeout": f"{LIMIT}s"}
    node = cluster.primary_of("{slow}")
    with Proxy(config=config) as proxy, ExitStack() as stack:
        pipelining, served, starving, hearing, queuing, reading, halfway, idle = (
            stack.enter_context(proxy.client()) for _ in range(8)
        )
        assert pipelining.command("SET", "big", value) == b"+OK\r\n"
        assert hearing.command("SUBSCRIBE", "news").startswith(b"*3")
        assert queuing.pipeline([("MULTI",), ("SET", "half", "1")]) == [b"+OK\r\n", b"+QUEUED\r\n"]
        served.send(pack("BLPOP", "fed", "0"))
        starving.send(pack("BLPOP", "unfed", "0"))
        halfway.send(pack("SET", "half", "x" * 100)[:-10])
        reading.send(pack("GET", "big") + pack("PING"))
        idle.command("PING")
        await_true(lambda: proxy.metrics().total("rproxy_upstream_pinned_connections", state="in_use") == 2)
        node.stop_process()
        try:
            pipelining.send(pack("INCR", "{slow}n") * 100 + pack("MULTI") + pack("INCR", "{slow}n") + pack("EXEC"))
            await_true(lambda: proxy.metrics().total("rproxy_upstream_requests_in_flight", cluster="main") >= 101)
            began = time.monotonic()
            ending = stack.enter_context(ThreadPoolExecutor(1)).submit(proxy.terminate, LIMIT + GRACE)
            await_true(lambda: not is_accepting(proxy.port))
        finally:
            node.cont()
        assert [pipelining.read_reply() for _ in range(100)] == [b":%d\r\n" % (n + 1) for n in range(100)]
        assert [pipelining.read_reply() for _ in range(3)] == [b"+OK\r\n", b"+QUEUED\r\n", b"*1\r\n:101\r\n"]
        with RawClient(cluster.primary_of("fed").port) as direct:
            assert direct.command("RPUSH", "fed", "v") == b":1\r\n"
        assert served.read_reply() == b"*2\r\n$3\r\nfed\r\n$1\r\nv\r\n"
        assert reading.read_reply() == b"$%d\r\n%b\r\n" % (BIG, value)
        assert reading.read_reply() == b"+PONG\r\n"
        for client in (pipelining, served, hearing, queuing, reading, halfway, idle, starving):
            assert client.read_to_end() == b""
        assert ending.result() == 0
        seconds = time.monotonic() - began
        assert seconds < LIMIT + GRACE
        assert "Traceback" not in proxy.output
    with RawClient(cluster.primary_of("unfed").port) as direct:
        assert direct.command("RPUSH", "unfed", "v") == b":1\r\n"
        assert direct.command("LLEN", "unfed") == b":1\r\n"
    with RawClient(cluster.primary_of("half").port) as direct:
        assert direct.command("EXISTS", "half") == b":0\r\n"
    figures.note("SIGTERM", f"requests in flight, all answered, {workers} worker(s)", "105")
    figures.note(
        "SIGTERM", f"until the exit, somebody blocked, {LIMIT:.0f} s allowed, {workers} worker(s)", f"{seconds:.1f} s"
    )


def test_without_anybody_blocked_it_ends_at_once(cluster: EmbeddedCluster) -> None:
    config = {**config_of(cluster.seeds), "drain_timeout": "60s"}
    with Proxy(config=config) as proxy, ExitStack() as stack:
        clients = [stack.enter_context(proxy.client()) for _ in range(50)]
        assert {client.command("SET", "a", "1") for client in clients} == {b"+OK\r\n"}
        assert clients[0].command("SUBSCRIBE", "news").startswith(b"*3")
        assert clients[1].command("MONITOR") == b"+OK\r\n"
        assert clients[2].command("MULTI") == b"+OK\r\n"
        assert clients[3].command("WATCH", "a") == b"+OK\r\n"
        began = time.monotonic()
        assert proxy.terminate(30) == 0
        seconds = time.monotonic() - began
        assert seconds < 30
    figures.note("SIGTERM", "until the exit, with idle clients, subscribers, watches", f"{seconds:.1f} s")
