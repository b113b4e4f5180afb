"""Slots move, shards come and go, while clients use commands of several keys and transactions."""

from pathlib import Path

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.redis_process import RedisProcess
from rproxy.topology.slots import hash_slot
from tests.support import figures
from tests.support.load import Journal, Load, many_keys
from tests.support.proxy import Proxy
from tests.support.resharding import move_slots, node_id, owned_slots
from tests.support.waiting import await_true


def clients(count: int = 16) -> list[list[str]]:
    return [[f"key:{client}:{number}" for number in range(4)] for client in range(count)]


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


def test_slots_move_under_load(own_cluster: EmbeddedCluster, own_proxy: Proxy) -> None:
    used = clients()
    source, target, _ = own_cluster.primaries
    moving = slots_in_use(source, used)
    spare = [slot for slot in owned_slots(source) if slot not in moving][: 200 - len(moving)]
    with Load(own_proxy.port, used, many_keys) as load:
        load.go_on(0.5)
        move_slots([*moving, *spare], source, target, own_cluster.nodes)
        load.go_on(0.5)
    assert_nothing_was_felt(load.journal, own_cluster)
    scrape = own_proxy.metrics()
    for kind in ("moved", "ask", "tryagain"):
        count = scrape.total("rproxy_redirections_total", cluster="main", kind=kind)
        assert count > 0 or kind == "tryagain"  # a matter of luck
        figures.note("slots move", f"redirections followed, `{kind}`", f"{count:.0f}")
    figures.note("slots move", "slots", str(len(moving) + len(spare)))
    figures.note("slots move", "commands meanwhile", str(len(load.journal.entries)))
    figures.note("slots move", "commands that failed, keys lost", "0")


@figures.whole_suite
def test_a_shard_joins_and_one_leaves_under_load(
    own_cluster: EmbeddedCluster, own_proxy: Proxy, tmp_path: Path
) -> None:
    used = clients()
    newcomer = RedisProcess(tmp_path / "newcomer", ("--cluster-node-timeout", "2000"), is_cluster=True)
    try:
        with Load(own_proxy.port, used, many_keys) as load:
            newcomer.start()
            old = own_cluster.primaries[0]
            newcomer.call("CLUSTER", "MEET", "127.0.0.1", old.port)
            own_cluster.nodes.append(newcomer)
            await_true(lambda: all(knows_everyone(node, own_cluster) for node in own_cluster.nodes), 20)
            moving = slots_in_use(old, used)
            move_slots(moving, old, newcomer, own_cluster.nodes)
            load.go_on(0.5)
            assert set(owned_slots(newcomer)) == set(moving)
            move_slots(moving, newcomer, old, own_cluster.nodes)
            gone = node_id(newcomer)
            own_cluster.nodes.remove(newcomer)
            for node in own_cluster.nodes:
                node.call("CLUSTER", "FORGET", gone)
            newcomer.kill()
            load.go_on(1.0)
        assert_nothing_was_felt(load.journal, own_cluster)
    finally:
        newcomer.kill()
    figures.note("a shard joins and leaves", "commands meanwhile", str(len(load.journal.entries)))
    figures.note("a shard joins and leaves", "commands that failed, keys lost", "0")


@figures.whole_suite
def test_a_manual_failover_is_not_felt(own_cluster: EmbeddedCluster, own_proxy: Proxy) -> None:
    used = clients()
    replica = own_cluster.slot_ranges()[0][2][1]
    with Load(own_proxy.port, used, many_keys) as load:
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
