"""CLUSTER as rproxy answers it against a real cluster of one node: equal but for id and port."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis
from rproxy.resp.wire import ReplyScanner
from rproxy.topology.slots import hash_slot
from tests.support.client import RawClient
from tests.support.proxy import Proxy

SLOTS = range(16384)
SUBCOMMANDS = (
    "SLOTS",
    "SHARDS",
    "NODES",
    "INFO",
    "LINKS",
    "MYID",
    "KEYSLOT k",
    "COUNTKEYSINSLOT 0",
    "GETKEYSINSLOT 0 9",
)
REFUSED = (
    "COUNTKEYSINSLOT x",
    "COUNTKEYSINSLOT -1",
    "GETKEYSINSLOT 16384 1",
    "REPLICAS x",
    "SLAVES x",
    "NOPE",
    "INFO x",
)


@pytest.fixture(scope="module")
def lone_node() -> Iterator[EmbeddedRedis]:
    """A cluster of one redis-server."""
    with EmbeddedRedis(["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"]) as redis:
        redis.call("CLUSTER", "ADDSLOTS", *SLOTS)
        redis.call("CLUSTER", "BUMPEPOCH")
        while b"cluster_state:ok" not in redis.call("CLUSTER", "INFO"):
            pass
        info = redis.call("INFO", "server")
        if b"redis_version:7.0" not in info:
            pytest.skip("CLUSTER is compared with a Redis 7.0, which is not installed")
        yield redis


def answers(port: int, protocol: int) -> dict[str, bytes]:
    """The replies to CLUSTER's subcommands, in which id and ports are named."""
    words = (*SUBCOMMANDS, *REFUSED)
    with RawClient(port) as client:
        node_id = client.command("CLUSTER", "MYID").split(b"\r\n")[1]
        client.send(f"HELLO {protocol}\r\n".encode())
        client.send("".join(f"CLUSTER {each}\r\n" for each in words).encode() + b"QUIT\r\n")
        received = client.read_to_end()
    names = {node_id: b"ID", b"%d" % (port + 10000): b"BUS", b"%d" % port: b"PORT"}
    _hello, *replies, _quit = replies_in(received)
    return {each: renamed(reply, names) for each, reply in zip(words, replies, strict=True)}


def renamed(reply: bytes, names: dict[bytes, bytes]) -> bytes:
    for found, name in names.items():
        reply = reply.replace(found, name)
    return reply


def replies_in(received: bytes) -> list[bytes]:
    """Each reply of a stream of them."""
    scanner = ReplyScanner()
    replies = []
    position = 0
    while position < len(received):
        size = scanner.next(received, position, len(received))
        replies.append(received[position : position + size])
        position += size
    return replies


@pytest.mark.parametrize("protocol", [2, 3])
def test_answers_are_those_of_a_cluster_of_one_node(lone_node: EmbeddedRedis, proxy: Proxy, protocol: int) -> None:
    expected = answers(lone_node.port, protocol)
    assert b"PORT" in expected["SLOTS"]
    assert answers(proxy.port, protocol) == expected


def test_keys_are_counted_and_named_by_the_shard_of_their_slot(
    proxy: Proxy, client: RawClient, cluster: EmbeddedCluster
) -> None:
    for key in ("a", "b", "c"):  # of three shards
        client.command("SET", key, "v")
        slot = hash_slot(key.encode())
        assert client.command("CLUSTER", "COUNTKEYSINSLOT", slot) == b":1\r\n"
        assert client.command("CLUSTER", "GETKEYSINSLOT", slot, 10) == b"*1\r\n$1\r\n%b\r\n" % key.encode()
    assert client.command("CLUSTER", "COUNTKEYSINSLOT", 0) == b":0\r\n"
