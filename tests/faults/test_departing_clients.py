"""Clients that go away at any moment, and very many that come and go at once."""

from __future__ import annotations

import contextlib
import random
import resource
import socket
import struct
import subprocess
import sys
import time

import pytest

from rproxy.demo.embedded import EmbeddedCluster
from tests.support import figures
from tests.support.client import RawClient, pack
from tests.support.good_clients import good_clients
from tests.support.proxy import Proxy, config_of
from tests.support.waiting import await_true

MANY = 10_000
BIG = 2 * 2**20
RESET = struct.pack("ii", 1, 0)
PIPELINES = {
    "reads": pack("GET", "gone:big") * 8,
    "split reads": pack("MGET", "gone:big", "gone:a", "gone:c") * 8,
    "a block": pack("LPUSH", "gone:l", "v") + pack("BLPOP", "gone:l", "0") + pack("BLPOP", "gone:none", "0"),
    "a watch": pack("WATCH", "gone:a") + pack("GET", "gone:a") * 20,
    "half a transaction": pack("MULTI") + pack("SET", "gone:never", "1") * 20,
    "subscriptions": pack("SUBSCRIBE", "gone:1") + pack("PSUBSCRIBE", "gone:*") + pack("SSUBSCRIBE", "gone:2"),
    "a monitor": pack("MONITOR") + pack("PING") * 20,
    "half of a large value": pack("SET", "gone:never", "x" * BIG)[: BIG // 2],
    "half of a large transaction": pack("MULTI") + pack("SET", "gone:never", "x" * BIG)[: BIG // 2],
    "a script": pack("EVAL", "return redis.call('GET', KEYS[1])", "1", "gone:big") * 4,
}
"""What clients are in the middle of."""


def leave(proxy: Proxy, data: bytes, draw: random.Random) -> None:
    """Send it, or a part, and be gone, by a reset or not, having read something or not."""
    with socket.create_connection(("127.0.0.1", proxy.port), 30) as client:
        client.sendall(data if draw.random() < 0.5 else data[: draw.randrange(len(data))])
        if draw.random() < 0.5:
            client.settimeout(0.005)
            with contextlib.suppress(TimeoutError):
                client.recv(1000)
        if draw.random() < 0.5:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


@pytest.mark.parametrize("rounds", [4, pytest.param(100, marks=figures.whole_suite)])
def test_nothing_stays_of_who_leaves_in_the_middle(cluster: EmbeddedCluster, proxy: Proxy, rounds: int) -> None:
    draw = random.Random(7)
    with proxy.client() as client:
        assert client.command("SET", "gone:big", "v" * BIG) == b"+OK\r\n"
    for data in PIPELINES.values():
        leave(proxy, data, draw)
    with good_clients(proxy, "clients leave in the middle"):
        for _ in range(rounds):
            for data in PIPELINES.values():
                leave(proxy, data, draw)
            # What nobody awaits any more comes all the same: more of it at a time would be too much for any server.
            await_true(lambda: proxy.metrics().total("rproxy_downstream_connections_active") == 8)
            await_true(lambda: proxy.metrics().total("rproxy_upstream_requests_in_flight", cluster="main") <= 8)
        await_true(lambda: proxy.metrics().total("rproxy_upstream_pinned_connections", state="in_use") == 0)
        for node in cluster.primaries:  # what was subscribed to is not any more
            await_true(lambda node=node: node.call("PUBSUB", "NUMPAT") == 0 and not node.call("PUBSUB", "CHANNELS"))
            await_true(lambda node=node: b"blocked_clients:0" in node.call("INFO", "clients"))
        with proxy.client() as client:
            assert client.command("EXISTS", "gone:never") == b":0\r\n"
            assert client.command("PUBLISH", "gone:1", "m") == b":0\r\n"
    figures.note("clients leave in the middle", "clients", str(rounds * len(PIPELINES)))


def test_what_was_sent_before_leaving_is_executed_once_or_not_at_all(proxy: Proxy) -> None:
    draw = random.Random(8)
    increments, sent = pack("INCR", "{left}n") + pack("RPUSH", "{left}l", "v"), 0
    with good_clients(proxy, "clients leave behind their writes"), proxy.client() as watching:
        for _ in range(60):
            data = increments * 50
            leave(proxy, data, draw)
            sent += 50
        await_true(lambda: proxy.metrics().total("rproxy_downstream_connections_active") == 9)
        counts: list[bytes] = []

        def is_settled() -> bool:
            counts[:] = [*counts, watching.command("GET", "{left}n")][-3:]
            return len(counts) == 3 and len(set(counts)) == 1

        await_true(is_settled)
        number, length = int(counts[0].split(b"\r\n")[1]), int(watching.command("LLEN", "{left}l")[1:])
    assert 0 < length <= number <= sent
    assert number - length <= 60  # a client's last command may be the first of a pair


@pytest.mark.parametrize("clients", [1000, pytest.param(MANY, marks=figures.whole_suite)])
def test_a_storm_of_connections_passes(cluster: EmbeddedCluster, clients: int) -> None:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] > clients + 500, "too few descriptors are allowed here"
    config = config_of(cluster.seeds)
    config["listeners"][0]["limits"] = {"max_clients": 2 * MANY}
    with Proxy(config=config) as proxy:
        storm(proxy, clients // 10)
        with good_clients(proxy, "a storm of connections"):
            began = time.monotonic()
            storm(proxy, clients)
            seconds = time.monotonic() - began
        assert proxy.metrics().total("rproxy_downstream_connections_opened_total") > clients
    figures.note("a storm of connections", "clients that were there together", str(clients))
    figures.note("a storm of connections", "until all had connected, been answered and left", f"{seconds:.1f} s")


def storm(proxy: Proxy, clients: int) -> None:
    command = [sys.executable, "-m", "tests.support.storm", str(proxy.port), str(clients)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def test_a_client_that_leaves_gets_nothing_of_the_next(proxy: Proxy) -> None:
    for number in range(30):
        with RawClient(proxy.port) as client:
            client.send(pack("GET", f"gone:{number}") * 10)
        with RawClient(proxy.port) as client:
            assert client.command("ECHO", str(number)) == b"$%d\r\n%d\r\n" % (len(str(number)), number)
