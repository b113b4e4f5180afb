"""Nobody to talk to, or the wrong one: no backend at the start, none any more, dead seeds, wrong maps and old ones."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.redis_process import RedisProcess
from tests.support import figures
from tests.support.load import MAYBE, Load
from tests.support.proxy import Proxy, config_of
from tests.support.resharding import keys_by_primary
from tests.support.stalls import Stalls
from tests.support.waiting import await_true

CLIENTS = [[f"key:{client}:{number}" for number in range(2)] for client in range(16)]
KEYS = [key for keys in CLIENTS for key in keys]
OP_TIMEOUT = 0.5
FOUND = 2.0
"""Seconds after the nodes are up in which they are found: one asks for them at least once a second."""
ROUND = 0.5
"""Seconds by which a command may be answered after its time is over, besides what the machine does."""


def proxy_before(seeds: str) -> Proxy:
    """One that asks its nodes often, so that a wrong answer is soon heard."""
    settings, cluster = (
        {"op_timeout": f"{OP_TIMEOUT}s"},
        {"cluster_refresh_rate": "0.2s", "cluster_refresh_timeout": "1s"},
    )
    return Proxy(config=config_of(seeds, settings=settings, cluster=cluster))


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def refused(proxy: Proxy) -> float:
    return proxy.metrics().total("rproxy_topology_refreshes_total", cluster="main", result="refused")


def primaries(proxy: Proxy) -> set[str]:
    """The addresses of the primaries that it knows."""
    return {shard["primary"] for shard in proxy.clusters()[0]["shards"]}


def first_success(load: Load, since: float) -> float:
    return await_true(lambda: load.journal.first_success(KEYS, since))


def kill_all(cluster: EmbeddedCluster) -> None:
    for node in cluster.nodes:
        node.kill()


def start_all(cluster: EmbeddedCluster) -> float:
    """When all of them serve again."""
    for node in cluster.nodes:
        node.start()
    cluster.await_healthy()
    return time.monotonic()


@figures.whole_suite
@pytest.mark.parametrize("shards", [1, 3])
def test_no_backend_at_the_start_and_none_later(shards: int) -> None:
    """The clients that came before any node was there, and stay while all are gone, are served as soon as they are."""
    with EmbeddedCluster(shards, replicas=shards // 3) as cluster, Stalls() as stalls:
        kill_all(cluster)
        proxy = proxy_before(cluster.seeds)
        try:
            proxy.launch()
            await_true(lambda: is_listening(proxy.port) and is_listening(proxy.admin_port))
            with Load(proxy.port, CLIENTS, pause=0.02) as load:
                load.go_on(0.5)
                assert load.journal.first_success(KEYS, 0) is None
                assert proxy.admin("/readyz")[0] == 503
                up_at = start_all(cluster)
                found_at = first_success(load, up_at)
                served = load.go_on(0.3)
                assert proxy.admin("/readyz")[0] == 200
                kill_all(cluster)
                with proxy.client() as newcomer:  # the port stays open
                    assert newcomer.command("PING") == b"+PONG\r\n"
                    assert newcomer.command("GET", "a").startswith(b"-CLUSTERDOWN ")
                back_at = start_all(cluster)
                found_again_at = first_success(load, back_at)
                end = load.go_on(1.0)[1]
        finally:
            proxy.stop()
    journal = load.journal
    assert journal.broken == []
    assert journal.wrong == []
    errors = journal.errors()
    assert all(error.error.startswith("CLUSTERDOWN ") or MAYBE in error.error for error in errors)
    assert all(served[0] < error.ended and error.began < served[1] + 0.1 for error in errors if MAYBE in error.error)
    assert [error for error in errors if served[0] <= error.began and error.ended <= served[1]] == []
    assert [error for error in errors if error.began > found_again_at + OP_TIMEOUT + ROUND] == []
    longest = max(error.latency for error in errors)
    assert longest < OP_TIMEOUT + ROUND + 2 * stalls.worst(0, end)
    found, found_again = found_at - up_at, found_again_at - back_at
    assert max(found, found_again) < FOUND + 2 * stalls.worst(up_at, end)
    promise = f"no backend, {shards} shard(s)"
    figures.note(promise, "connections of clients lost, new ones refused", str(len(journal.broken)))
    figures.note(promise, f"longest wait for an error, `op_timeout` {OP_TIMEOUT} s", f"{longest * 1000:.0f} ms")
    figures.note(promise, "first success after the first start", f"{found * 1000:.0f} ms")
    figures.note(promise, "first success after all were killed and are back", f"{found_again * 1000:.0f} ms")


def test_one_good_seed_is_enough(own_cluster: EmbeddedCluster) -> None:
    """One seed is dead, one hangs: the next one is asked."""
    dead, hanging, good = own_cluster.nodes[3:]
    dead.kill()
    hanging.stop_process()
    try:
        began = time.monotonic()
        with proxy_before(f"{dead.address},{hanging.address},{good.address}") as proxy:
            ready_after = time.monotonic() - began
            with proxy.client() as client:
                assert {client.command("SET", key, "1") for key in KEYS} == {b"+OK\r\n"}
    finally:
        hanging.cont()
    figures.note("no backend", "ready with one seed of three, another hanging", f"{ready_after * 1000:.0f} ms")


@contextmanager
def cluster_at(port: int, directory: Path) -> Iterator[RedisProcess]:
    """Another cluster, of one node that has all slots and a high epoch, at a given port."""
    node = RedisProcess(directory, is_cluster=True)
    node.port = port
    node.start()
    try:
        node.call("CLUSTER", "SET-CONFIG-EPOCH", 1000)
        node.call("CLUSTER", "ADDSLOTS", *range(16384))
        await_true(lambda: b"cluster_state:ok" in node.call("CLUSTER", "INFO"))
        yield node
    finally:
        node.kill()


@figures.whole_suite
def test_a_node_that_answers_another_clusters_map_is_not_followed(tmp_path: Path) -> None:
    """The first shard's address now belongs to another cluster, whose epoch is higher and which has all slots."""
    arguments = ("--cluster-require-full-coverage", "no")
    with EmbeddedCluster(replicas=0, extra_args=arguments) as cluster, proxy_before(cluster.seeds) as proxy:
        lost, *rest = cluster.primaries
        by_primary = keys_by_primary(cluster, KEYS)
        mine, others = by_primary[lost.port], [key for node in rest for key in by_primary[node.port]]
        clients = [others[number::16] for number in range(16)]
        with Load(proxy.port, clients) as load:
            load.go_on(0.3)
            lost.kill()
            with cluster_at(lost.port, tmp_path / "other") as other:
                # Who has lost its address is out of the others' maps.
                await_true(lambda: primaries(proxy) == {node.address for node in rest})
                load.go_on(1.0)
                answers_refused, known = refused(proxy), primaries(proxy)
                strays = [key for key in others if other.call("EXISTS", key)]
            lost.start()
            with proxy.client() as client:
                await_true(lambda: {client.command("SET", key, "1") for key in mine} == {b"+OK\r\n"})
        journal = load.journal
    assert known == {node.address for node in rest}
    assert strays == []
    assert journal.broken == []
    assert journal.errors() == []
    assert journal.wrong == []
    figures.note("another cluster's map", "commands of other shards that failed or went astray", "0")
    figures.note("another cluster's map", "answers refused", f"{answers_refused:.0f}")


@figures.whole_suite
def test_a_node_that_was_cut_off_does_not_bring_its_old_map_back(own_cluster: EmbeddedCluster) -> None:
    """A primary that missed its replacement comes back, owner of its slots by its own map, and nobody else answers."""
    config = config_of(
        own_cluster.seeds,
        settings={"op_timeout": f"{OP_TIMEOUT}s"},
        cluster={"cluster_refresh_rate": "0.2s", "cluster_refresh_timeout": "0.2s"},
    )
    old, new = own_cluster.shard_of("b")
    others = [node for node in own_cluster.nodes if node is not old]
    with Proxy(config=config) as proxy, proxy.client() as client:
        assert client.command("SET", "b", "before") == b"+OK\r\n"
        await_true(lambda: new.call("DBSIZE") == 1)
        old.kill()
        await_true(lambda: client.command("SET", "b", "after") == b"+OK\r\n")
        await_true(lambda: new.address in primaries(proxy))
        for node in others:
            node.stop_process()
        try:
            old.start()
            assert old.role == "primary"
            before = refused(proxy)
            await_true(lambda: refused(proxy) > before + 3)
            assert client.command("GET", "b").startswith(b"-ERR upstream ")
            known, answers_refused = primaries(proxy), refused(proxy) - before
            asked = old.call("INFO", "commandstats")
        finally:
            for node in others:
                node.cont()
        assert new.address in known
        assert old.address not in known
        assert b"cmdstat_get" not in asked
        assert b"cmdstat_cluster" in asked
        await_true(lambda: client.command("GET", "b") == b"$5\r\nafter\r\n")
    figures.note("an old map", "answers with it that were refused, no other node answering", f"{answers_refused:.0f}")
    figures.note("an old map", "commands sent where it leads", "0")
