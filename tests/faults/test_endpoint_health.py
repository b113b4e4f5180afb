"""A replica that hangs or is loading: reads go on at other nodes; and a node that comes back is not stormed."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis
from rproxy.demo.redis_process import RedisProcess
from tests.support import figures
from tests.support.client import pack
from tests.support.load import Load, Pipeline
from tests.support.proxy import Proxy, config_of
from tests.support.relay import Relay
from tests.support.waiting import await_true

CLIENTS = 8
IN_A_ROW = 5
OP_TIMEOUT = 2.0
EJECTION = 3.0
KEYS = [f"{{b}}:{number}" for number in range(CLIENTS)]


def reads(key: str, _: int) -> list[Pipeline]:
    """One read of what was written before."""
    return [[(("GET", key), key.encode())]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    """One whose nodes do not notice that one of them hangs: only what rproxy does is seen."""
    with EmbeddedCluster(node_timeout_ms=120_000) as cluster:
        primary, replica = cluster.shard_of("b")
        for key in KEYS:
            primary.call("SET", key, key)
        await_true(lambda: replica.call("DBSIZE") == len(KEYS))
        yield cluster


def gets_of(node: RedisProcess) -> int:
    """How often the node has executed GET."""
    rows = node.call("INFO", "commandstats").decode().split("\r\n")
    return next((int(row.split("calls=")[1].split(",")[0]) for row in rows if row.startswith("cmdstat_get:")), 0)


@pytest.mark.parametrize("policy", ["prefer_replica", pytest.param("any", marks=figures.whole_suite)])
def test_reads_leave_a_replica_that_hangs(cluster: EmbeddedCluster, policy: str) -> None:
    _, replica = cluster.shard_of("b")
    config = config_of(
        cluster.seeds,
        settings={"op_timeout": f"{OP_TIMEOUT}s", "read_policy": policy},
        cluster={
            "outlier_detection": {
                "consecutive_local_origin_failure": IN_A_ROW,
                "base_ejection_time": f"{EJECTION}s",
            }
        },
    )
    with Proxy(config=config) as proxy, Load(proxy.port, [[key] for key in KEYS], reads) as load:
        load.go_on(0.5)
        assert gets_of(replica)
        replica.stop_process()
        hung_at = time.monotonic()
        try:
            await_true(lambda: ejections(proxy, "active") == 1)
            noticed_at = time.monotonic()
            assert proxy.clusters()[0]["health"][replica.address] == ["failed_outlier_check"]
            _, until = load.go_on(EJECTION / 2)
        finally:
            replica.cont()
        await_true(lambda: ejections(proxy, "active") == 0)
        before = gets_of(replica)
        await_true(lambda: gets_of(replica) > before)
        assert (ejections(proxy, "enforced_total"), ejections(proxy, "overflow_total")) == (1, 0)
    journal = load.journal
    errors = journal.errors()
    assert (journal.broken, journal.wrong) == ([], [])
    # Those that were overdue before it was ejected, or at the same moment.
    assert 1 <= len(errors) < IN_A_ROW + CLIENTS
    assert all("gave no answer in time" in error.error and error.began <= noticed_at for error in errors)
    meanwhile = [entry for entry in journal.entries if noticed_at < entry.began <= until and not entry.error]
    assert {entry.key for entry in meanwhile} == set(KEYS)
    what = "a replica hangs"
    figures.note(what, f"reads that failed, all in flight before it was ejected, `{policy}`", str(len(errors)))
    figures.note(what, f"reads that other nodes answered meanwhile, `{policy}`", str(len(meanwhile)))
    figures.note(what, f"until it was ejected, `{policy}`", f"{(errors[-1].ended - hung_at) * 1000:.0f} ms")


def test_checks_find_a_replica_that_hangs_before_a_read_does(cluster: EmbeddedCluster) -> None:
    _, replica = cluster.shard_of("b")
    config = config_of(
        cluster.seeds,
        settings={"read_policy": "prefer_replica"},
        cluster={
            "health_checks": {
                "timeout": "0.5s",
                "interval": "0.1s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 2,
            }
        },
    )
    with Proxy(config=config) as proxy:
        await_true(lambda: healthy(proxy) == len(cluster.nodes))
        replica.stop_process()
        hung_at = time.monotonic()
        try:
            await_true(lambda: healthy(proxy) == len(cluster.nodes) - 1)
            noticed_after = time.monotonic() - hung_at
            assert proxy.clusters()[0]["health"][replica.address] == ["failed_active_hc"]
            with Load(proxy.port, [[key] for key in KEYS], reads) as load:
                load.go_on(1.0)
        finally:
            replica.cont()
        await_true(lambda: healthy(proxy) == len(cluster.nodes))
        before = gets_of(replica)
        with Load(proxy.port, [[key] for key in KEYS], reads) as again:
            await_true(lambda: gets_of(replica) > before)
        assert proxy.metrics().total("rproxy_health_checks_total", result="failure") >= 2
    for journal in (load.journal, again.journal):
        assert (journal.broken, journal.wrong, journal.errors()) == ([], [], [])
        assert {entry.key for entry in journal.entries} == set(KEYS)
    what = "a replica hangs, with health checks"
    figures.note(what, "until it was unhealthy: two checks of 0.5 s", f"{noticed_after * 1000:.0f} ms")
    figures.note(what, "reads meanwhile", str(len(load.journal.entries)))
    figures.note(what, "reads that failed", str(len(load.journal.errors())))


def healthy(proxy: Proxy) -> float:
    return proxy.metrics().total("rproxy_membership_healthy")


def ejections(proxy: Proxy, what: str) -> float:
    return proxy.metrics().total(f"rproxy_outlier_detection_ejections_{what}")


LOADED = 200
"""Keys that the replica has to load, each so slowly that it takes seconds."""


CHECKS = {"health_checks": {"interval": "0.1s", "unhealthy_threshold": 1, "healthy_threshold": 1}}


@figures.whole_suite
@pytest.mark.parametrize(("cluster_keys", "how"), [(CHECKS, "with"), ({}, "without")])
def test_reads_avoid_a_replica_that_is_loading(
    cluster: EmbeddedCluster, cluster_keys: dict[str, Any], how: str
) -> None:
    cluster.await_healthy()
    primary, replica = cluster.shard_of("b")
    config = config_of(
        cluster.seeds,
        settings={"read_policy": "prefer_replica"},
        cluster={
            **cluster_keys,
            # A map that was asked for just now would leave out the replica until it has loaded.
            "cluster_refresh_rate": "1h",
            "failure_refresh_threshold": 0,
        },
    )
    replica.call("CONFIG", "SET", "key-load-delay", "20000", "loading-process-events-interval-bytes", "1024")
    with Proxy(config=config) as proxy, Load(proxy.port, [[key] for key in KEYS], reads) as load:
        fall_behind(primary, replica)
        await_true(lambda: is_loading(replica))
        await_true(lambda: proxy.clusters()[0]["health"][replica.address])
        began = time.monotonic()
        while is_loading(replica):
            load.go_on(0.1)
        until = time.monotonic()
        await_true(lambda: healthy(proxy) == len(cluster.nodes))
        before = gets_of(replica)
        await_true(lambda: gets_of(replica) > before)
    journal = load.journal
    assert (journal.broken, journal.wrong, journal.errors()) == ([], [], [])
    meanwhile = [entry.latency for entry in journal.entries if began <= entry.began and entry.ended <= until]
    assert len(meanwhile) > len(KEYS)
    what = f"a replica is loading, {how} health checks"
    figures.note(what, "how long", f"{until - began:.1f} s")
    figures.note(what, "reads meanwhile", str(len(meanwhile)))
    figures.note(what, "longest wait of a read", f"{max(meanwhile) * 1000:.0f} ms")
    figures.note(what, "reads that failed", str(len(journal.errors())))


def fall_behind(primary: RedisProcess, replica: RedisProcess) -> None:
    """Make the replica need everything anew: it misses more than its primary keeps for it."""
    replica.stop_process()
    try:
        primary.call("CLIENT", "KILL", "TYPE", "replica")
        for number in range(LOADED):
            primary.call("SET", f"{{b}}:large:{number}", "x" * 20_000)
    finally:
        replica.cont()


def is_loading(node: RedisProcess) -> bool:
    return b"\r\nloading:1" in node.call("INFO", "persistence")


BLOCKED = 60
"""Clients that wait for data, each on a connection of its own to the node."""
PER_SECOND = 30
OTHERS = 5
"""Connections that are not for commands: rproxy asks a node what it can."""


class Storm:
    """How many connections a node has got since a moment, and the most by which that was more than is allowed."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._before = relay.accepted
        self._began = time.monotonic()
        self.accepted = 0
        self.excess = -float(PER_SECOND)

    def look(self) -> float:
        """Count now; the seconds so far."""
        self.accepted = self._relay.accepted - self._before
        seconds = time.monotonic() - self._began
        self.excess = max(self.excess, self.accepted - PER_SECOND * (1.0 + seconds))
        return seconds


def test_a_node_that_comes_back_is_not_stormed(standalone: EmbeddedRedis) -> None:
    with ExitStack() as stack:
        relay = stack.enter_context(Relay(standalone.port))
        config = config_of(
            f"127.0.0.1:{relay.port}",
            cluster={"type": "standalone", "connection_rate_limit_per_sec": PER_SECOND},
        )
        proxy = stack.enter_context(Proxy(config=config))
        clients = [stack.enter_context(proxy.client()) for _ in range(BLOCKED)]

        def all_wait(storm: Storm) -> bool:
            storm.look()
            blocked = [
                line for line in standalone.call("INFO", "clients").decode().split() if "blocked_clients" in line
            ]
            return blocked == [f"blocked_clients:{BLOCKED}"]

        def block() -> None:
            for number, client in enumerate(clients):
                client.send(pack("BLPOP", f"queue:{number}", "0"))

        storm = Storm(relay)
        block()
        await_true(lambda: all_wait(storm))
        assert storm.excess <= OTHERS
        relay.reset()
        storm = Storm(relay)
        assert all(b"was lost" in client.read_reply() for client in clients)
        block()
        await_true(lambda: all_wait(storm))
        seconds = storm.look()
        assert storm.accepted >= BLOCKED
        assert storm.excess <= OTHERS
        assert proxy.metrics().total("rproxy_upstream_connections_rate_limited_total") > 0
        for number, client in enumerate(clients):
            assert standalone.call("LPUSH", f"queue:{number}", "x") == 1
            assert client.read_reply().endswith(b"$1\r\nx\r\n")
    what = f"a node comes back, at most {PER_SECOND} connections a second"
    figures.note(what, "clients that each need one", str(BLOCKED))
    figures.note(what, "connections opened, and in what time", f"{storm.accepted} in {seconds:.1f} s")
