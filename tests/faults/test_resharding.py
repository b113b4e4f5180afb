"""Slots move, shards come and go, while clients use commands of several keys and transactions."""

import itertools
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.redis_process import RedisProcess
from rproxy.topology.slots import hash_slot
from tests.support import figures
from tests.support.client import RawClient
from tests.support.load import Journal, Load, Pipeline, many_keys, several_keys
from tests.support.proxy import Proxy
from tests.support.resharding import DWELL, keys_by_primary, move_slots, node_id, owned_slots
from tests.support.waiting import await_true

SHARE = 16384 // 4 // 3
"""Slots that each of three shards gives to a fourth."""


def clients(count: int = 16) -> list[list[str]]:
    return [[f"key:{client}:{number}" for number in range(4)] for client in range(count)]


def mixed(key: str, number: int) -> list[Pipeline]:
    """What one half of the clients does with transactions, the other without: they hold up others of their slot."""
    client = int(key.split(":")[1])
    return (many_keys if client % 2 else several_keys)(key, number)


def assert_nothing_was_felt(journal: Journal, cluster: EmbeddedCluster) -> None:
    assert journal.broken == []
    assert journal.errors() == []
    assert journal.wrong == []
    for key, (number, _) in journal.acknowledged.items():
        assert cluster.primary_of(key).call("GET", key) == b"%d" % number


def slots_in_use(node: RedisProcess, used: list[list[str]]) -> list[int]:
    """Those of a node's slots that have keys of the clients."""
    owned = set(owned_slots(node))
    return sorted({hash_slot(key.encode()) for keys in used for key in keys} & owned)


def knows_everyone(node: RedisProcess, cluster: EmbeddedCluster) -> bool:
    lines = node.call("CLUSTER", "INFO").split()
    return b"cluster_state:ok" in lines and b"cluster_known_nodes:%d" % len(cluster.nodes) in lines


def fill(cluster: EmbeddedCluster, slots: Iterable[int], each: int) -> dict[int, list[str]]:
    """Keys that nobody touches meanwhile, ``each`` in every slot: by slot, each with its own name as its value."""
    wanted = set(slots)
    found: dict[int, list[str]] = {slot: [] for slot in wanted}
    for number in itertools.count():
        slot = hash_slot(b"rest:%d" % number)
        if slot in wanted:
            found[slot] += [f"{{rest:{number}}}{key}" for key in range(each)]
            wanted.remove(slot)
        if not wanted:
            break
    by_primary = keys_by_primary(cluster, (key for keys in found.values() for key in keys))
    for node in cluster.primaries:
        with RawClient(node.port) as client:
            replies = client.pipeline([("SET", key, key) for key in by_primary[node.port]])
            assert set(replies) <= {b"+OK\r\n"}
    return found


def assert_all_there(cluster: EmbeddedCluster, filled: dict[int, list[str]]) -> int:
    """How many keys of ``fill`` there are: every one, each where its slot is now, and nowhere else."""
    keys = [key for keys in filled.values() for key in keys]
    by_primary = keys_by_primary(cluster, keys)
    for node in cluster.primaries:
        mine = by_primary[node.port]
        with RawClient(node.port) as client:
            replies = client.pipeline([("GET", key) for key in mine])
        assert replies == [b"$%d\r\n%s\r\n" % (len(key), key.encode()) for key in mine]
    return len(keys)


@pytest.mark.parametrize(
    ("slots", "each", "dwell"), [(200, 1, DWELL), pytest.param(800, 3, 0.01, marks=figures.whole_suite)]
)
def test_slots_move_under_load(
    own_cluster: EmbeddedCluster, own_proxy: Proxy, slots: int, each: int, dwell: float
) -> None:
    """Every slot that moves has keys; some have those of clients, who use several at once and transactions."""
    used = clients()
    source, target, _ = own_cluster.primaries
    moving = slots_in_use(source, used)
    spare = [slot for slot in owned_slots(source) if slot not in moving][: slots - len(moving)]
    filled = fill(own_cluster, [*moving, *spare], each)
    with Load(own_proxy.port, used, mixed) as load:
        load.go_on(0.5)
        move_slots(moving, source, target, own_cluster.nodes, dwell=5 * dwell)
        move_slots(spare, source, target, own_cluster.nodes, dwell=0.0)
        load.go_on(0.5)
    assert_nothing_was_felt(load.journal, own_cluster)
    moved_keys = assert_all_there(own_cluster, filled)
    scrape = own_proxy.metrics()
    for kind in ("moved", "ask", "tryagain"):
        count = scrape.total("rproxy_redirections_total", cluster="main", kind=kind)
        assert count > 0 or (kind == "tryagain" and each == 1)  # a matter of luck where it is over so soon
        figures.note("slots move", f"redirections followed, `{kind}`", f"{count:.0f}")
    figures.note("slots move", "slots, each with keys", str(len(moving) + len(spare)))
    figures.note("slots move", "keys that nobody touched meanwhile", str(moved_keys))
    figures.note("slots move", "commands meanwhile", str(len(load.journal.entries)))
    figures.note("slots move", "commands that failed, keys lost", str(len(load.journal.errors())))


@contextmanager
def fourth_shard(cluster: EmbeddedCluster, directory: Path) -> Iterator[RedisProcess]:
    """A primary without slots, with a replica, that joins the cluster; both are gone in the end."""
    arguments = ("--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no")
    newcomers = [RedisProcess(directory / name, arguments, is_cluster=True) for name in ("primary", "replica")]
    primary, replica = newcomers
    try:
        for node in newcomers:
            node.start()
            node.call("CLUSTER", "MEET", "127.0.0.1", cluster.nodes[0].port)
            cluster.nodes.append(node)
        await_true(lambda: all(knows_everyone(node, cluster) for node in cluster.nodes))
        replica.call("CLUSTER", "REPLICATE", node_id(primary))
        await_true(lambda: replica.role == "replica")
        yield primary
    finally:
        for node in newcomers:
            node.kill()
            if node in cluster.nodes:
                cluster.nodes.remove(node)


def leave(cluster: EmbeddedCluster, gone: list[RedisProcess]) -> None:
    """Have nodes without slots forgotten by all others, then end them."""
    names = [node_id(node) for node in gone]
    for node in gone:
        cluster.nodes.remove(node)
    for node in cluster.nodes:
        for name in names:
            node.call("CLUSTER", "FORGET", name)
    for node in gone:
        node.kill()


@figures.whole_suite
def test_a_shard_joins_is_filled_and_leaves_under_load(
    own_cluster: EmbeddedCluster, own_proxy: Proxy, tmp_path: Path
) -> None:
    """A quarter of all slots goes to the fourth shard, the same share of each, and back again."""
    used = clients()
    old = own_cluster.primaries
    filled = fill(own_cluster, range(0, 16384, 16), 1)
    with fourth_shard(own_cluster, tmp_path) as newcomer, Load(own_proxy.port, used, mixed) as load:
        load.go_on(0.5)
        shares = {node.port: owned_slots(node)[:SHARE] for node in old}
        began = time.monotonic()
        for node in old:
            busy = set(slots_in_use(node, used))
            shares[node.port] = sorted({*busy, *shares[node.port]})[:SHARE]
            move_slots(shares[node.port], node, newcomer, own_cluster.nodes)
        load.go_on(0.5)
        rebalanced = set(owned_slots(newcomer))
        for node in old:
            move_slots(shares[node.port], newcomer, node, own_cluster.nodes)
        ended = time.monotonic()
        leave(own_cluster, own_cluster.nodes[-2:])
        load.go_on(1.0)
    assert rebalanced == {slot for share in shares.values() for slot in share}
    assert_nothing_was_felt(load.journal, own_cluster)
    assert_all_there(own_cluster, filled)
    figures.note("a shard joins and leaves", "slots moved to it, and back", str(len(rebalanced)))
    figures.note("a shard joins and leaves", "time that took", f"{ended - began:.0f} s")
    figures.note("a shard joins and leaves", "commands meanwhile", str(len(load.journal.entries)))
    figures.note("a shard joins and leaves", "commands that failed, keys lost", str(len(load.journal.errors())))


@figures.whole_suite
def test_a_manual_failover_is_not_felt(own_cluster: EmbeddedCluster, own_proxy: Proxy) -> None:
    used = clients()
    replica = own_cluster.slot_ranges()[0][2][1]
    with Load(own_proxy.port, used, mixed) as load:
        load.go_on(0.5)
        assert replica.call("CLUSTER", "FAILOVER") == b"OK"
        await_true(lambda: replica.role == "primary", 20)
        load.go_on(1.0)
    journal = load.journal
    assert journal.broken == []
    assert journal.wrong == []
    figures.note("a manual failover", "commands meanwhile", str(len(journal.entries)))
    figures.note("a manual failover", "commands that failed", str(len(journal.errors())))
    assert journal.errors() == []
