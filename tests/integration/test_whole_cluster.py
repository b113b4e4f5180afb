"""Commands for the whole cluster while it changes: slots move, a replica takes over, a shard is dead."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import hiredis
import pytest

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.redis_process import RedisProcess
from rproxy.demo.wire_client import WireClient
from rproxy.routing.info import parse
from rproxy.topology.slots import hash_slot
from tests.support.proxy import Proxy, config_of
from tests.support.waiting import await_true

OP_TIMEOUT = {"op_timeout": "800ms"}


def fill(wire: WireClient, count: int) -> list[bytes]:
    keys = [b"key:%d" % number for number in range(count)]
    wire.call_all([("SET", key, "1") for key in keys])
    return keys


def move_slot(slot: int, source: RedisProcess, target: RedisProcess, nodes: list[RedisProcess]) -> None:
    """Move a slot with its keys, as ``redis-cli --cluster reshard`` does."""
    target_id = target.call("CLUSTER", "MYID")
    target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", source.call("CLUSTER", "MYID"))
    source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
    while keys := source.call("CLUSTER", "GETKEYSINSLOT", slot, 100):
        source.call("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
    for node in (target, source, *nodes):
        node.call("CLUSTER", "SETSLOT", slot, "NODE", target_id)


def test_a_scan_misses_nothing_that_stays_while_slots_move() -> None:
    with (
        EmbeddedCluster(primaries=3, replicas=0) as cluster,
        Proxy(config=config_of(cluster.seeds, cluster={"cluster_refresh_rate": "100ms"})) as proxy,
        WireClient(proxy.port) as wire,
    ):
        keys = fill(wire, 2000)
        nodes = cluster.nodes
        # Slots of every shard go to the next one, the first of them, by which shards could be counted, among them.
        moves = [(first + step, source[0]) for first, _, source in cluster.slot_ranges() for step in range(8)]
        moved = {slot for slot, _ in moves}
        found: set[bytes] = set()
        cursor = b"0"
        for slot, source in itertools.chain(moves, itertools.repeat((None, None))):
            cursor, page = wire.call("SCAN", cursor, "COUNT", "40")
            found.update(page)
            if cursor == b"0":
                break
            if slot is not None and source is not None:
                target = nodes[(nodes.index(source) + 1) % len(nodes)]
                move_slot(slot, source, target, nodes)
        assert {key for key in keys if hash_slot(key) not in moved} <= found
        assert set(wire.call("KEYS", "key:*")) == set(keys)
        assert wire.call("DBSIZE") == len(keys)


@pytest.fixture(scope="module")
def crippled() -> Iterator[EmbeddedCluster]:
    """A cluster of three primaries without replicas, of which one is dead; the others go on without it."""
    arguments = ("--cluster-require-full-coverage", "no")
    with EmbeddedCluster(primaries=3, replicas=0, extra_args=arguments) as cluster:
        with Proxy(config=config_of(cluster.seeds)) as proxy, WireClient(proxy.port) as wire:
            fill(wire, 300)
        cluster.nodes[2].kill()
        yield cluster


@pytest.fixture(scope="module")
def strict(crippled: EmbeddedCluster) -> Iterator[Proxy]:
    """rproxy before it with the default settings."""
    with Proxy(config=config_of(seeds(crippled), settings=OP_TIMEOUT)) as proxy:
        yield proxy


REPORTED = ["DBSIZE", "KEYS *", "RANDOMKEY", "SCRIPT EXISTS x", "LASTSAVE", "MEMORY STATS", "LATENCY LATEST"]
CHANGED = ["SCRIPT FLUSH", "SCRIPT LOAD return(1)", "CONFIG SET maxmemory 0", "MEMORY PURGE", "WAIT 0 10"]


@pytest.mark.parametrize("command", [*REPORTED, *CHANGED])
def test_a_dead_shard_is_a_clear_error_in_time(strict: Proxy, command: str) -> None:
    with WireClient(strict.port) as wire:
        with pytest.raises(hiredis.ReplyError, match=r"CLUSTERDOWN|upstream"):
            wire.call(*command.split())
        assert wire.call("PING") == b"PONG"


def test_a_setting_answers_without_it(crippled: EmbeddedCluster) -> None:
    settings = {**OP_TIMEOUT, "fan_out_partial": True}
    with Proxy(config=config_of(seeds(crippled), settings=settings)) as proxy, WireClient(proxy.port) as wire:
        size = wire.call("DBSIZE")
        assert 0 < size < 300
        assert len(wire.call("KEYS", "*")) == size
        assert wire.call("RANDOMKEY").startswith(b"key:")
        found: list[bytes] = []
        cursor = b"0"
        while True:
            cursor, page = wire.call("SCAN", cursor, "COUNT", "100")
            found += page
            if cursor == b"0":
                break
        assert len(found) == size
        assert wire.call("SCRIPT", "EXISTS", "x") == [0]
        assert wire.call("LASTSAVE") > 0
        for command in CHANGED:
            with pytest.raises(hiredis.ReplyError, match=r"CLUSTERDOWN|upstream"):
                wire.call(*command.split())


def test_info_is_given_whatever_is_dead(strict: Proxy) -> None:
    with WireClient(strict.port) as wire:
        info = await_true(lambda: parse(wire.call("INFO").decode()))
        assert info["server"]["rproxy_shards_silent"] == "1"
        assert 0 < int(info["keyspace"]["db0"].partition("=")[2].partition(",")[0]) < 300


def seeds(cluster: EmbeddedCluster) -> str:
    return ",".join(node.address for node in cluster.nodes[:2])
