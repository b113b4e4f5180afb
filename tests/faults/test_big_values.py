"""Large values pass whole, in little memory, while others go on; what breaks off is never completed falsely."""

from __future__ import annotations

import hashlib
import socket
import threading

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.topology.slots import hash_slot
from tests.support import figures
from tests.support.client import RawClient, pack
from tests.support.load import Load
from tests.support.memory import Peak
from tests.support.proxy import Proxy, config_of
from tests.support.resharding import move_slots
from tests.support.waiting import await_true

MIB = 2**20
PATIENCE = 120.0
PIECE = 65536
LATE = 0.05
"""Seconds that one command in a hundred of other clients may take meanwhile."""
GIVEN_UP = "rproxy_downstream_connections_given_up_total"


def pattern(size: int) -> bytes:
    """Bytes that differ all along."""
    block = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(2048))
    return (block * (size // len(block) + 1))[:size]


def store(cluster: EmbeddedCluster, key: str, value: bytes) -> None:
    """Write past the proxy."""
    with RawClient(cluster.primary_of(key).port, timeout=PATIENCE) as client:
        assert client.command("SET", key, value) == b"+OK\r\n"


def received(client: RawClient, size: int) -> str:
    """The digest of the next reply, a bulk string of ``size`` bytes, read in pieces."""
    reader = client.stream
    assert reader.readline() == b"$%d\r\n" % size
    digest = hashlib.sha256()
    while size:
        piece = reader.read(min(size, PIECE))
        assert piece
        digest.update(piece)
        size -= len(piece)
    assert reader.read(2) == b"\r\n"
    return digest.hexdigest()


def others(proxy: Proxy) -> Load:
    """Clients that go on meanwhile."""
    return Load(proxy.port, [[f"other:{client}"] for client in range(8)])


def undisturbed(load: Load) -> bool:
    return (load.journal.wrong, load.journal.errors(), load.journal.broken) == ([], [], [])


def worst_percent(load: Load) -> float:
    """Seconds that one command in a hundred takes at least."""
    waits = sorted(entry.latency for entry in load.journal.entries)
    return waits[len(waits) * 99 // 100]


def get_big(cluster: EmbeddedCluster, proxy: Proxy, size: int, most: int) -> tuple[Load, Peak]:
    value = pattern(size)
    store(cluster, "big", value)
    digest = hashlib.sha256(value).hexdigest()
    with others(proxy) as load, RawClient(proxy.port, timeout=PATIENCE) as client:
        load.go_on(0.3)
        with Peak(proxy.pid) as memory:
            for _ in range(2):
                client.send(pack("GET", "big") + pack("PING"))
                assert received(client, size) == digest
                assert client.read_reply() == b"+PONG\r\n"
    assert undisturbed(load)
    assert memory.growth < most
    return load, memory


def test_a_large_value_is_read_in_little_memory(cluster: EmbeddedCluster, proxy: Proxy) -> None:
    get_big(cluster, proxy, 96 * MIB, 64 * MIB)


@figures.whole_suite
def test_a_very_large_value_is_read_in_little_memory(cluster: EmbeddedCluster, proxy: Proxy) -> None:
    load, memory = get_big(cluster, proxy, 256 * MIB, 64 * MIB)
    figures.note("values of 256 MB", "memory, read", f"{memory.growth / MIB:.0f} MiB")
    figures.note("values of 256 MB", "99th percentile of other clients, read", f"{worst_percent(load) * 1000:.0f} ms")
    assert worst_percent(load) < LATE


def test_large_replies_keep_their_order_whatever_is_between(cluster: EmbeddedCluster, proxy: Proxy) -> None:
    size = 3 * MIB
    values = {f"big:{number}": pattern(size + number) for number in range(6)}
    for key, value in values.items():
        store(cluster, key, value)
    wanted = b"".join(b"$%d\r\n%b\r\n:1\r\n" % (len(value), value) for value in values.values())
    commands = b"".join(pack("GET", key) + pack("EXISTS", key) for key in values)
    with proxy.client() as client:
        client.set_timeout(PATIENCE)
        client.send(commands + pack("MGET", *values) + pack("QUIT"))
        got = client.read_to_end()
    assert got == wanted + b"*6\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(v), v) for v in values.values()) + b"+OK\r\n"


def test_a_node_that_dies_in_the_middle_of_a_reply(own_cluster: EmbeddedCluster, own_proxy: Proxy) -> None:
    size = 96 * MIB
    value = pattern(size)
    store(own_cluster, "big", value)
    node = own_cluster.primary_of("big")
    with RawClient(own_proxy.port, timeout=PATIENCE) as client:
        client.send(pack("GET", "big") + pack("PING"))
        begin = client.stream.read(1000)
        node.kill()
        rest = client.read_to_end()
    reply = b"$%d\r\n%b\r\n" % (size, value)
    assert begin + rest == reply[: 1000 + len(rest)]
    assert len(rest) < size
    assert own_proxy.metrics().total(GIVEN_UP, reason="cut") == 1


def test_a_client_that_others_wait_behind_is_closed(cluster: EmbeddedCluster, proxy: Proxy) -> None:
    store(cluster, "{k}big", pattern(96 * MIB))
    with RawClient(proxy.port, timeout=PATIENCE) as slow, RawClient(proxy.port, timeout=PATIENCE) as other:
        other.command("SET", "{k}small", "1")
        before = proxy.metrics().total(GIVEN_UP, reason="in_the_way")
        with socket.create_connection(("127.0.0.1", cluster.primary_of("{k}big").port)) as admin:
            # Both are in the node's hands before it answers either.
            admin.sendall(pack("CLIENT", "PAUSE", "1000", "ALL"))
            assert admin.recv(100) == b"+OK\r\n"
            slow.send(pack("GET", "{k}big"))
            await_true(lambda: proxy.metrics().total("rproxy_upstream_requests_in_flight") >= 1)
            assert other.command("GET", "{k}small") == b"$1\r\n1\r\n"
        assert proxy.metrics().total(GIVEN_UP, reason="in_the_way") == before + 1
        assert len(slow.read_to_end()) < 96 * MIB


def set_big(cluster: EmbeddedCluster, proxy: Proxy, size: int, most: int) -> tuple[Load, Peak]:
    value = pattern(size)
    with others(proxy) as load, RawClient(proxy.port, timeout=PATIENCE) as client:
        load.go_on(0.3)
        commands = pack("SET", "big", "before") + pack("SET", "big", value) + pack("STRLEN", "big")
        with Peak(proxy.pid) as memory:
            sending = threading.Thread(target=client.send, args=(commands,))
            sending.start()
            assert [client.read_reply() for _ in range(3)] == [b"+OK\r\n", b"+OK\r\n", b":%d\r\n" % size]
            sending.join()
    assert undisturbed(load)
    assert memory.growth < most
    with RawClient(cluster.primary_of("big").port, timeout=PATIENCE) as direct:
        direct.send(pack("GET", "big"))
        assert received(direct, size) == hashlib.sha256(value).hexdigest()
    return load, memory


def test_a_large_value_is_written_in_little_memory(cluster: EmbeddedCluster, proxy: Proxy) -> None:
    set_big(cluster, proxy, 96 * MIB, 48 * MIB)


def test_nothing_is_kept_of_values_that_were_written(cluster: EmbeddedCluster, proxy: Proxy) -> None:
    """None of them waits for the garbage collector, which has no reason to come here."""
    value = pattern(2 * MIB)
    with RawClient(proxy.port, timeout=PATIENCE) as client, Peak(proxy.pid) as memory:
        for _ in range(100):
            assert client.command("SET", "big", value) == b"+OK\r\n"
        client.command("DEL", "big")
    assert memory.growth < 32 * MIB


def test_so_are_large_arguments_with_others_around_them(cluster: EmbeddedCluster, proxy: Proxy) -> None:
    value = pattern(48 * MIB)
    commands: list[tuple[tuple[str | bytes, ...], bytes]] = [
        (("SET", "big", value, "EX", "1000", "GET"), b"$-1\r\n"),
        (("SET", "big", b"small", "NX"), b"$-1\r\n"),
        (("HSET", "big:h", "a", value, "b", "2", "c", value), b":3\r\n"),
        (("RPUSH", "big:l", "1", value, "2"), b":3\r\n"),
        (("SET", "big:wrong", value, "EX", "soon"), b"-ERR value is not an integer or out of range\r\n"),
    ]
    with others(proxy) as load, RawClient(proxy.port, timeout=PATIENCE) as client:
        load.go_on(0.2)
        with Peak(proxy.pid) as memory:
            sending = threading.Thread(target=lambda: [client.send(pack(*command)) for command, _ in commands])
            sending.start()
            for _, wanted in commands:
                assert client.read_reply() == wanted
            sending.join()
        assert undisturbed(load)
        assert memory.growth < 64 * MIB
        assert client.pipeline([("STRLEN", "big"), ("HSTRLEN", "big:h", "c"), ("HGET", "big:h", "b")]) == [
            b":%d\r\n" % len(value),
            b":%d\r\n" % len(value),
            b"$1\r\n2\r\n",
        ]
        assert client.command("LRANGE", "big:l", "2", "2") == b"*1\r\n$1\r\n2\r\n"
        assert client.pipeline([("EXISTS", "big:wrong"), ("TTL", "big")])[0] == b":0\r\n"
        client.command("DEL", "big:h", "big:l", "big")


def test_a_command_that_goes_wrong_behind_its_large_argument(cluster: EmbeddedCluster, proxy: Proxy) -> None:
    command = pack("SET", "big", pattern(4 * MIB), "EX", "10")
    with RawClient(proxy.port, timeout=PATIENCE) as client, RawClient(proxy.port) as other:
        client.send(command.replace(b"$2\r\nEX", b":2\r\nEX"))
        assert client.read_to_end() == b"-ERR Protocol error: expected '$', got ':'\r\n"
        assert other.command("EXISTS", "big") == b":0\r\n"
        await_true(lambda: proxy.metrics().total("rproxy_upstream_pinned_connections", state="in_use") == 0)


def test_what_has_to_be_there_whole_is_bounded(cluster: EmbeddedCluster) -> None:
    config = config_of(cluster.seeds)
    config["listeners"][0]["limits"] = {"max_command_size": "8MiB"}
    refused = b"-ERR Protocol error: too big command (see max_command_size)\r\n"
    with Proxy(config=config) as proxy:
        for before in (b"", pack("MULTI")):
            with RawClient(proxy.port, timeout=PATIENCE) as client:
                client.send(before + pack("MSET", "{m}a", "1", "{m}b", b"x" * 9 * MIB)[:1000])
                assert client.read_to_end().removeprefix(b"+OK\r\n") == refused
        with RawClient(proxy.port, timeout=PATIENCE) as client:
            assert client.command("MSET", "{m}a", "1", "{m}b", b"x" * 7 * MIB) == b"+OK\r\n"
            assert client.command("SET", "big", b"x" * 9 * MIB) == b"+OK\r\n"


@figures.whole_suite
def test_a_very_large_value_is_written_in_little_memory(cluster: EmbeddedCluster, proxy: Proxy) -> None:
    load, memory = set_big(cluster, proxy, 256 * MIB, 64 * MIB)
    figures.note("values of 256 MB", "memory, written", f"{memory.growth / MIB:.0f} MiB")
    figures.note(
        "values of 256 MB", "99th percentile of other clients, written", f"{worst_percent(load) * 1000:.0f} ms"
    )
    assert worst_percent(load) < LATE


def test_half_a_large_command_is_never_executed_and_holds_up_nobody(cluster: EmbeddedCluster, proxy: Proxy) -> None:
    command = pack("SET", "{k}big", pattern(8 * MIB))
    with RawClient(proxy.port) as other:
        with RawClient(proxy.port) as client:
            client.send(command[: 5 * MIB])
            await_true(lambda: proxy.metrics().total("rproxy_upstream_pinned_connections", state="in_use") == 1)
            assert other.command("SET", "{k}small", "1") == b"+OK\r\n"
        await_true(lambda: proxy.metrics().total("rproxy_upstream_pinned_connections", state="in_use") == 0)
        assert other.command("EXISTS", "{k}big") == b":0\r\n"


def test_a_large_value_finds_a_slot_that_has_moved(own_cluster: EmbeddedCluster, own_proxy: Proxy) -> None:
    value = pattern(8 * MIB)
    source, target = own_cluster.primary_of("k"), own_cluster.primary_of("other")
    assert source is not target
    with own_proxy.client() as client:
        assert client.command("SET", "k", "1") == b"+OK\r\n"
        move_slots([hash_slot(b"k")], source, target, own_cluster.nodes)
        assert client.command("SET", "k", value) == b"+OK\r\n"
        assert client.command("STRLEN", "k") == b":%d\r\n" % len(value)
    with RawClient(target.port) as direct:
        assert direct.command("STRLEN", "k") == b":%d\r\n" % len(value)
