"""Clients that send nonsense, too much, too little or too slowly, while others verify every reply."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from rproxy.demo.embedded import EmbeddedCluster
from tests.support import figures
from tests.support.bad_bytes import REFUSED
from tests.support.client import RawClient, pack
from tests.support.good_clients import good_clients
from tests.support.memory import Peak
from tests.support.proxy import Proxy, config_of
from tests.support.waiting import await_true

ALL_STREAMS = 100_000
SEED = 5
ACTIVE = "rproxy_downstream_connections_active"
GIVEN_UP = "rproxy_downstream_connections_given_up_total"
HALVES = (
    b"*2\r\n$3\r\nGET\r\n",
    b"*3\r\n$3\r\nSET\r\n$5\r\nbad:h\r\n$10\r\nhalf",
    b"*1000000\r\n$3\r\nDEL\r\n$1\r\nx\r\n",
    b"*2\r\n$3\r\nGET\r\n$400000000\r\nhalf",
    b"GET bad:h",
    pack("MULTI") + b"*1\r\n",
    pack("SUBSCRIBE", "bad") + b"*",
)
"""Beginnings of commands."""
PIPELINE = [
    (("SET", "{drip}a", "1"), b"+OK\r\n"),
    (("INCR", "{drip}a"), b":2\r\n"),
    (("MSET", "drip:b", "2", "drip:c", "3"), b"+OK\r\n"),
    (("MGET", "{drip}a", "drip:b", "drip:c"), b"*3\r\n$1\r\n2\r\n$1\r\n2\r\n$1\r\n3\r\n"),
    (("MULTI",), b"+OK\r\n"),
    (("INCR", "{drip}a"), b"+QUEUED\r\n"),
    (("EXEC",), b"*1\r\n:3\r\n"),
    (("EVAL", "return ARGV[1]", "1", "drip:b", "x" * 100), b"$100\r\n" + b"x" * 100 + b"\r\n"),
    (("RPUSH", "drip:l", "v"), b":1\r\n"),
    (("BLPOP", "drip:l", "0"), b"*2\r\n$6\r\ndrip:l\r\n$1\r\nv\r\n"),
    (("NONE", "such"), b"-ERR unknown command 'NONE', with args beginning with: 'such' \r\n"),
    (("PING",), b"+PONG\r\n"),
]


@pytest.fixture
def fresh(cluster: EmbeddedCluster) -> Iterator[Proxy]:
    """rproxy that has served nobody yet."""
    with Proxy(["--seed", cluster.seeds]) as proxy:
        yield proxy


def offend(port: int, count: int, seed: int) -> None:
    command = [sys.executable, "-m", "tests.support.bad_bytes", str(port), str(count), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert done.stdout.strip() == str(count), done.stderr


@pytest.mark.parametrize("streams", [2000, pytest.param(ALL_STREAMS, marks=figures.whole_suite)])
def test_bad_bytes_disturb_nobody(fresh: Proxy, streams: int) -> None:
    offend(fresh.port, 300, SEED + 1)  # what is made once, and stays, is there then
    with good_clients(fresh, "bad bytes"):
        offend(fresh.port, streams, SEED)
    assert fresh.metrics().total("rproxy_downstream_protocol_errors_total") > streams / 20
    figures.note("bad bytes", "streams", str(streams))


@pytest.mark.parametrize("bad", REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_good_is_refused_in_the_words_of_redis(cluster: EmbeddedCluster, proxy: Proxy, bad: bytes) -> None:
    replies = []
    for port in (cluster.nodes[0].port, proxy.port):
        with RawClient(port) as client:
            client.send(pack("PING") + bad)
            replies.append(client.read_to_end())
    assert replies[0].startswith(b"+PONG\r\n-ERR Protocol error: ")
    assert replies[1] == replies[0]


def test_large_counts_and_lengths_take_no_memory(fresh: Proxy) -> None:
    promises = (
        b"*1048576\r\n$536870912\r\n",
        b"*1048576\r\n$3\r\nDEL\r\n",
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nx",
    )
    with good_clients(fresh, "large counts and lengths"), Peak(fresh.pid) as memory, ExitStack() as clients:
        for number in range(600):
            clients.enter_context(fresh.client()).send(promises[number % len(promises)])
        await_true(lambda: fresh.metrics().total(ACTIVE) >= 600)
    assert memory.growth < 48 * 2**20
    figures.note("large counts and lengths", "memory of 600 clients that promised 512 MiB each", _mib(memory.growth))


def test_pipelines_that_drip_are_answered_as_any(proxy: Proxy) -> None:
    sent, wanted = b"".join(pack(*command) for command, _ in PIPELINE), b"".join(reply for _, reply in PIPELINE)
    with good_clients(proxy, "drips"), ExitStack() as stack:
        clients = [stack.enter_context(proxy.client()) for _ in range(3)]
        for byte in sent.replace(b"drip", b"0rip"):
            clients[0].send(bytes([byte]))
        assert clients[0].stream.read(len(wanted)) == wanted.replace(b"drip", b"0rip")
        for first in range(len(sent)):  # two that take turns
            for number, client in enumerate(clients[1:], 1):
                client.send(sent.replace(b"drip", b"%drip" % number)[first : first + 1])
        for number, client in enumerate(clients[1:], 1):
            assert client.stream.read(len(wanted)) == wanted.replace(b"drip", b"%drip" % number)


def most_taken(port: int) -> tuple[int, bytes]:
    """How much of an endless line is taken before the answer, and the answer."""
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        for sent in range(4096, 2**20, 4096):
            client.sendall(b"x" * 4096)
            if select.select([client], [], [], 0.02)[0]:
                return sent, client.recv(1000)
    raise AssertionError("a megabyte without a line end was taken")


def test_an_endless_line_is_cut_off(cluster: EmbeddedCluster, proxy: Proxy) -> None:
    with good_clients(proxy, "an endless line"):
        sent, reply = most_taken(proxy.port)
    assert reply == b"-ERR Protocol error: too big inline request\r\n" == most_taken(cluster.nodes[0].port)[1]
    assert 64 * 1024 <= sent <= 128 * 1024
    figures.note("an endless line", "cut off after", f"{sent // 1024} KiB")


def test_half_a_command_and_then_silence_comes_to_an_end(cluster: EmbeddedCluster) -> None:
    config = config_of(cluster.seeds)
    config["listeners"][0]["limits"] = {"half_command_timeout": "2s"}
    large = pack("SET", "bad:large", "x" * 4 * 2**20)[:-1000]
    with Proxy(config=config) as proxy, ExitStack() as stack, good_clients(proxy, "half a command, then silence"):
        silent, blocked, subscribed, *halves = (
            stack.enter_context(proxy.client()) for _ in range(3 + 3 * len(HALVES) + 1)
        )
        assert silent.command("PING") == b"+PONG\r\n"
        blocked.send(pack("BLPOP", "never", "0") + b"*1\r\n")  # the rest may come when this has been answered
        subscribed.send(pack("SUBSCRIBE", "never"))
        began = time.monotonic()
        for client, half in zip(halves, [*HALVES * 3, large], strict=True):
            client.send(half)
        for client in halves:
            client.read_to_end()
        seconds = time.monotonic() - began
        assert seconds > 1.9
        await_true(lambda: proxy.metrics().total("rproxy_upstream_pinned_connections", state="in_use") == 1)
        assert proxy.metrics().total(GIVEN_UP, reason="half") == len(halves)
        assert silent.command("EXISTS", "bad:h", "bad:large") == b":0\r\n"
        blocked.send(b"$4\r\nPING\r\n")
        assert silent.command("RPUSH", "never", "v") == b":1\r\n"
        assert blocked.read_reply() == b"*2\r\n$5\r\nnever\r\n$1\r\nv\r\n"
        assert blocked.read_reply() == b"+PONG\r\n"
        for client in (silent, blocked, subscribed):
            client.close()


def test_who_is_one_too_many_is_told_so(cluster: EmbeddedCluster) -> None:
    config = config_of(cluster.seeds)
    config["listeners"][0]["limits"] = {"max_clients": 50}
    with Proxy(config=config) as proxy, good_clients(proxy, "connections over the limit"), ExitStack() as stack:
        guests = [stack.enter_context(proxy.client()) for _ in range(42)]
        assert {client.command("PING") for client in guests} == {b"+PONG\r\n"}
        for _ in range(200):
            with proxy.client() as client:
                assert client.read_to_end() == b"-ERR max number of clients reached\r\n"
        assert {client.command("PING") for client in guests} == {b"+PONG\r\n"}
        guests.pop().close()
        await_true(lambda: proxy.metrics().total(ACTIVE) == 49)
        with proxy.client() as client:
            assert client.command("SET", "free", "1") == b"+OK\r\n"
        assert proxy.metrics().total("rproxy_downstream_connections_rejected_total") == 200
    figures.note("connections over the limit", "refused with a clear error", "200 of 200")


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
