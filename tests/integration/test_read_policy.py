"""Which nodes reads go to under each policy, and that no write ever goes to a replica."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from rproxy.commands.lookup import SPECS
from rproxy.commands.spec import Access, CommandSpec, Plan, RequestPolicy
from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.monitor import Monitor, SeenCommand
from rproxy.demo.redis_process import RedisProcess
from tests.support.client import RawClient
from tests.support.proxy import Proxy
from tests.support.waiting import await_true

WRITES = [
    spec
    for spec in SPECS
    if spec.access is Access.WRITE
    and spec.plan != Plan.UNSUPPORTED
    and spec.request_policy is not RequestPolicy.ALL_NODES  # scripts are loaded on replicas too
]


@contextmanager
def before(cluster: EmbeddedCluster, policy: str) -> Iterator[tuple[Proxy, RawClient]]:
    with Proxy(["--seed", cluster.seeds, "--read-policy", policy]) as proxy, proxy.client() as client:
        yield proxy, client


@contextmanager
def watched(cluster: EmbeddedCluster) -> Iterator[dict[RedisProcess, Monitor]]:
    with ExitStack() as watching:
        yield {node: watching.enter_context(Monitor(node)) for node in cluster.nodes}


def about(monitor: Monitor, key: str) -> list[SeenCommand]:
    return [command for command in monitor.take() if key in command.arguments]


@pytest.mark.parametrize(
    ("policy", "role"),
    [
        ("primary", "primary"),
        ("prefer_primary", "primary"),
        ("replica", "replica"),
        ("prefer_replica", "replica"),
        ("MASTER", "primary"),
        ("Prefer_Master", "primary"),
        ("REPLICA", "replica"),
    ],
)
def test_reads_go_to_nodes_of_one_role(cluster: EmbeddedCluster, policy: str, role: str) -> None:
    choose = cluster.primary_of if role == "primary" else cluster.replica_of
    asked = {key: choose(key) for key in "abc"}
    with before(cluster, policy) as (_, client):
        for key in asked:
            client.command("SET", key, key)
            await_true(lambda: key.encode() in cluster.replica_of(key).call("KEYS", "*"))  # noqa: B023 - awaited here
        with watched(cluster) as monitors:
            for key, node in asked.items():
                replies = client.pipeline([("GET", key), ("STRLEN", key), ("MGET", key)] * 5)
                assert set(replies) == {b"$1\r\n%s\r\n" % key.encode(), b":1\r\n", b"*1\r\n$1\r\n%s\r\n" % key.encode()}
                seen = {monitor: [command.name for command in about(monitor, key)] for monitor in monitors.values()}
                assert seen.pop(monitors[node]) == ["get", "strlen", "mget"] * 5
                assert not any(seen.values())


def test_any_uses_every_node_of_the_shard(cluster: EmbeddedCluster) -> None:
    with before(cluster, "any") as (proxy, _), watched(cluster) as monitors:
        for _ in range(40):
            with proxy.client() as client:
                client.pipeline([("GET", "b")] * 5)
        seen = {node: len(about(monitor, "b")) for node, monitor in monitors.items()}
        primary, replica = cluster.shard_of("b")
        assert seen[primary] + seen[replica] == sum(seen.values()) == 200
        assert min(seen[primary], seen[replica]) > 20


def smallest(spec: CommandSpec) -> tuple[str, ...]:
    """The command with as few arguments as it takes, each of them ``1``: key, number of keys and value alike."""
    words = spec.name.decode().split("|")
    return (*words, *["1"] * (abs(spec.arity) - len(words)))


@pytest.mark.parametrize("policy", ["replica", "any"])
def test_no_write_goes_to_a_replica(cluster: EmbeddedCluster, policy: str) -> None:
    replicas = [node for node in cluster.nodes if node.role == "replica"]
    for node in replicas:
        node.call("CONFIG", "RESETSTAT")
    with before(cluster, policy) as (proxy, client), watched(cluster) as monitors:
        for spec in WRITES:
            reply = client.command(*smallest(spec))
            assert b"READONLY" not in reply, spec
        for node in replicas:
            primary = f"127.0.0.1:{node.call('ROLE')[2]}"
            assert [command for command in monitors[node].take() if is_write_of_a_client(command, primary)] == []
            # A write that reached a replica would be redirected before MONITOR shows it, and counted as refused.
            assert refused_writes(node) == {}
        assert proxy.metrics().total("rproxy_redirections_total") == 0


def is_write_of_a_client(command: SeenCommand, primary: str) -> bool:
    names = {spec.name.decode().partition("|")[0].lower() for spec in WRITES}
    return command.client != primary and command.name in names


def refused_writes(node: RedisProcess) -> dict[str, str]:
    """The write commands that the node refused to execute, with their row of ``INFO commandstats``."""
    rows = dict(line.split(":", 1) for line in node.call("INFO", "commandstats").decode().split() if ":" in line)
    names = {spec.name.decode().replace("|", "_").lower() for spec in WRITES}
    return {name: row for name, row in rows.items() if ",rejected_calls=0," not in row and name[8:] in names}


def test_preferences_fall_back_when_the_preferred_node_is_gone() -> None:
    with EmbeddedCluster(node_timeout_ms=60_000) as cluster:
        primary, replica = cluster.shard_of("b")
        with before(cluster, "prefer_replica") as (_, client):
            client.command("SET", "b", "1")
            await_true(lambda: replica.call("DBSIZE"))
            replica.kill()
            await_true(lambda: client.command("GET", "b") == b"$1\r\n1\r\n")
            replica.restart()
            cluster.await_healthy()
        with before(cluster, "prefer_primary") as (_, client):
            assert client.command("GET", "b") == b"$1\r\n1\r\n"
            primary.kill()
            await_true(lambda: client.command("GET", "b") == b"$1\r\n1\r\n")
