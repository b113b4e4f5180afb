"""A primary is killed, or hangs, while 16 clients write and read."""

import threading
import time

import pytest

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.redis_process import RedisProcess
from tests.support import figures
from tests.support.load import MAYBE, Load
from tests.support.proxy import Proxy, config_of
from tests.support.resharding import keys_by_primary
from tests.support.waiting import await_true

CLIENTS = 16
UNDISTURBED = 1.0
"""Seconds that no command of another shard may take: far above what a loaded machine adds, far below any time-out."""
REPLICATED = 1.0
"""Seconds before the kill: what was acknowledged earlier has reached the replica, so it may not be missing."""


def clients_of_one_shard_each(cluster: EmbeddedCluster) -> list[list[str]]:
    """Two keys for every client; clients use the shards in turn."""
    shards = list(keys_by_primary(cluster, (f"key:{number}" for number in range(600))).values())
    return [shards[index % len(shards)][2 * index : 2 * index + 2] for index in range(CLIENTS)]


def of_shard(clients: list[list[str]], mine: set[str]) -> tuple[list[str], list[str]]:
    """The keys of a shard, and all others."""
    every = [key for keys in clients for key in keys]
    return [key for key in every if key in mine], [key for key in every if key not in mine]


class Promotion:
    """Watches a replica, and notes when it first says that it is a primary."""

    def __init__(self, replica: RedisProcess) -> None:
        self.at = 0.0
        self._replica = replica
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        with self._replica.connect() as client:
            while client.call("ROLE")[0] != b"master":
                time.sleep(0.005)
        self.at = time.monotonic()

    def wait(self) -> float:
        """When it happened."""
        self._thread.join(20)
        assert self.at, "no replica was promoted"
        return self.at


def test_a_killed_primary_costs_only_what_was_in_flight(own_cluster: EmbeddedCluster, own_proxy: Proxy) -> None:
    clients = clients_of_one_shard_each(own_cluster)
    primary, replica = own_cluster.shard_of("b")
    by_primary = keys_by_primary(own_cluster, [key for keys in clients for key in keys])
    mine, others = of_shard(clients, set(by_primary[primary.port]))
    with Load(own_proxy.port, clients) as load:
        quiet = load.go_on(2.0)
        promotion = Promotion(replica)
        killed_at = time.monotonic()
        primary.kill()
        promoted_at = promotion.wait()
        first = await_true(lambda: load.journal.first_success(mine, promoted_at), 20)
        until = load.go_on(0.5)[1]
    journal = load.journal
    assert journal.broken == []
    assert journal.errors(others) == []
    errors = journal.errors(mine)
    affected = {client for client, keys in enumerate(clients) if set(keys) & set(mine)}
    # A client has at most one pipeline of two commands on its way at the kill.
    assert len(errors) <= 2 * len(affected)
    assert all(MAYBE in error.error and error.began <= killed_at + 0.1 for error in errors)
    before = journal.worst_latency(others, *quiet)
    during = journal.worst_latency(others, killed_at, until)
    assert during < UNDISTURBED
    assert first - promoted_at < 2.0
    assert [wrong for wrong in journal.wrong if wrong.key in others] == []
    lost = 0
    for key, (number, at) in journal.acknowledged.items():
        found = int(own_cluster.primary_of(key).call("GET", key) or 0)
        assert found >= number or killed_at - REPLICATED < at < first
        lost += found < number
    figures.note("a primary is killed", "commands of other shards that failed", "0")
    figures.note("a primary is killed", "longest wait in other shards, before", f"{before * 1000:.0f} ms")
    figures.note(
        "a primary is killed", "longest wait in other shards, until service is back", f"{during * 1000:.0f} ms"
    )
    figures.note("a primary is killed", "commands that failed, all in flight at the kill", str(len(errors)))
    figures.note("a primary is killed", "first success after the promotion", f"{(first - promoted_at) * 1000:.0f} ms")
    figures.note("a primary is killed", "acknowledged writes that the promoted replica never had", str(lost))


@figures.whole_suite
@pytest.mark.parametrize("policy", ["any", "prefer_replica"])
def test_reads_of_replicas_go_on_without_a_gap(own_cluster: EmbeddedCluster, policy: str) -> None:
    primary, replica = own_cluster.shard_of("b")
    with Proxy(["--seed", own_cluster.seeds, "--read-policy", policy]) as proxy, proxy.client() as client:
        assert client.command("SET", "b", "1") == b"+OK\r\n"
        await_true(lambda: replica.call("DBSIZE") == 1)
        promotion = Promotion(replica)
        for _ in range(20):
            assert client.command("GET", "b") == b"$1\r\n1\r\n"
        primary.kill()
        worst = 0.0
        while not promotion.at:
            began = time.monotonic()
            assert client.command("GET", "b") == b"$1\r\n1\r\n"
            worst = max(worst, time.monotonic() - began)
    assert worst < UNDISTURBED
    figures.note("a primary is killed", f"longest wait of a read of its shard, `{policy}`", f"{worst * 1000:.0f} ms")


@figures.whole_suite
def test_a_cluster_that_wants_full_coverage_pauses_without_errors() -> None:
    """Redis's default: every node says CLUSTERDOWN from the failure to the promotion, and rproxy waits it out."""
    with EmbeddedCluster(node_timeout_ms=1000) as cluster, Proxy(["--seed", cluster.seeds]) as proxy:
        clients = clients_of_one_shard_each(cluster)
        primary, replica = cluster.shard_of("b")
        by_primary = keys_by_primary(cluster, [key for keys in clients for key in keys])
        _, others = of_shard(clients, set(by_primary[primary.port]))
        with Load(proxy.port, clients) as load:
            load.go_on(0.2)
            promotion = Promotion(replica)
            killed_at = time.monotonic()
            primary.kill()
            promoted_at = promotion.wait()
            await_true(lambda: load.journal.first_success(others, promoted_at), 20)
            until = load.go_on(1.0)[1]
    assert load.journal.broken == []
    assert load.journal.errors(others) == []
    worst = load.journal.worst_latency(others, killed_at, until)
    figures.note(
        "a primary is killed", "longest wait in other shards, full coverage required", f"{worst * 1000:.0f} ms"
    )


def test_a_hanging_primary_is_a_timeout_and_no_reply_goes_astray(own_cluster: EmbeddedCluster) -> None:
    """It hangs for less than the node time-out, so that nobody takes its place."""
    clients = clients_of_one_shard_each(own_cluster)
    primary = own_cluster.primary_of("b")
    by_primary = keys_by_primary(own_cluster, [key for keys in clients for key in keys])
    mine, others = of_shard(clients, set(by_primary[primary.port]))
    config = config_of(own_cluster.seeds, settings={"op_timeout": "0.3s"})
    with Proxy(config=config) as proxy, Load(proxy.port, clients) as load:
        load.go_on(0.5)
        primary.stop_process()
        hung = load.go_on(1.2)
        primary.cont()
        back = await_true(lambda: load.journal.first_success(mine, hung[1]), 20)
        load.go_on(0.5)
    journal = load.journal
    assert journal.broken == []
    assert journal.errors(others) == []
    assert journal.wrong == []
    assert journal.errors(mine)
    assert all(error.began < hung[1] for error in journal.errors(mine))
    assert journal.worst_latency(others, *hung) < UNDISTURBED
    assert primary.role == "primary"
    figures.note("a primary hangs", "commands of other shards that failed", "0")
    figures.note("a primary hangs", "replies to the wrong command", "0")
    figures.note("a primary hangs", "first success after it goes on", f"{(back - hung[1]) * 1000:.0f} ms")
