"""Clients that send nonsense, or go away in the middle, while others verify every reply."""

import contextlib
import random
import socket

import psutil

from rproxy.demo.embedded import EmbeddedCluster
from tests.support import figures
from tests.support.client import pack
from tests.support.load import Load
from tests.support.proxy import Proxy

STREAMS = 500
MEMORY = 64 * 1024 * 1024
"""Bytes that may be left of what bad clients cost."""
GOOD = pack("SET", "a", "1") + pack("MGET", "a", "b") + b"PING\r\n" + pack("MULTI") + pack("EVAL", "return 1", "0")
NASTY = [
    b"*1000000000\r\n",
    b"*3\r\n$99999999999\r\n",
    b"$5\r\n",
    b"*-5\r\n*1\r\n$-1\r\n",
    b"x" * 100_000,
    b"*2\r\n$3\r\nGET\r\n$100000\r\nhalf",
    b"\x00\xff\r\n" * 100,
    pack("GET", "a") * 2000,
]


def mutated(stream: bytes, draw: random.Random) -> bytes:
    """The stream with some bytes changed, left out, or nonsense put in between."""
    data = bytearray(stream)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(data))
        data[place : place + draw.randint(0, 3)] = draw.choice([b"", b"\r", b"9", b"*", bytes([draw.randrange(256)])])
    return bytes(data)


def offend(port: int, data: bytes, draw: random.Random) -> None:
    """Send, perhaps read a little, and go away."""
    with socket.create_connection(("127.0.0.1", port), 5) as client, contextlib.suppress(OSError):
        client.settimeout(0.02)
        client.sendall(data)
        if draw.random() < 0.5:
            client.recv(1000)


def test_bad_clients_disturb_nobody(own_cluster: EmbeddedCluster, own_proxy: Proxy) -> None:
    draw = random.Random(5)  # seeded: the same streams in every run
    process = psutil.Process(own_proxy.pid)
    with Load(own_proxy.port, [[f"good:{client}"] for client in range(4)]) as load:
        before = process.memory_info().rss
        for number in range(STREAMS):
            offend(own_proxy.port, NASTY[number % 8] if number % 3 == 0 else mutated(GOOD, draw), draw)
        load.go_on(0.2)
        left = process.memory_info().rss - before
    assert load.journal.broken == []
    assert load.journal.errors() == []
    assert load.journal.wrong == []
    assert own_proxy.is_running
    assert "Traceback" not in own_proxy.output
    assert left < MEMORY
    assert own_cluster.nodes[0].is_running
    figures.note("bad clients", "streams of bad bytes", str(STREAMS))
    figures.note("bad clients", "commands of good clients that failed", "0")
    figures.note("bad clients", "memory left over", f"{max(left, 0) / 2**20:.0f} MiB")
