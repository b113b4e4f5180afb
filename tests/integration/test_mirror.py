"""Mirrors: what they get, and that nothing they do is felt by clients."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis
from rproxy.demo.monitor import Monitor
from tests.support.client import RawClient
from tests.support.proxy import Proxy, config_of
from tests.support.waiting import await_true

ALL = {"cluster": "mirror"}
WRITES = {"cluster": "mirror", "exclude_read_commands": True}


@contextmanager
def mirrored(
    cluster: EmbeddedCluster, mirror: EmbeddedRedis, *policies: dict[str, Any]
) -> Iterator[tuple[Proxy, RawClient]]:
    config = config_of(cluster.seeds, mirrors=policies, mirror_address=mirror.address)
    with Proxy(config=config) as proxy, proxy.client() as client:
        yield proxy, client


@pytest.fixture
def own_mirror() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as redis:
        yield redis


def names_until(monitor: Monitor, last: str) -> list[str]:
    """The names of the commands that the mirror sees, up to the one with the argument ``last``."""
    names: list[str] = []

    def has_come() -> bool:
        commands = monitor.take()
        names.extend(command.name for command in commands if last not in command.arguments)
        return any(last in command.arguments for command in commands)

    await_true(has_come)
    return names


USE = [
    ("SET", "a", "1"),
    ("GET", "a"),
    ("INCR", "a"),
    ("MSET", "b", "1", "c", "2"),
    ("MGET", "a", "b"),
    ("EVAL", "return redis.call('get', KEYS[1])", "1", "a"),
    ("TTL", "a"),
    ("DEL", "b", "none"),
    ("PING",),
]


def test_a_mirror_gets_the_writes(cluster: EmbeddedCluster, standalone: EmbeddedRedis) -> None:
    with mirrored(cluster, standalone, WRITES) as (_, client), Monitor(standalone.node) as monitor:
        replies = client.pipeline([*USE, ("SET", "last", "1")])
        assert not [reply for reply in replies if reply.startswith(b"-")]
        names = set(names_until(monitor, "last"))
    assert {"set", "incr", "mset", "eval", "del"} <= names
    assert not names & {"mget", "ttl", "ping"}
    assert standalone.call("MGET", "a", "b", "c") == [b"2", None, b"2"]


def test_a_mirror_can_get_reads_too(cluster: EmbeddedCluster, standalone: EmbeddedRedis) -> None:
    with mirrored(cluster, standalone, ALL) as (_, client), Monitor(standalone.node) as monitor:
        client.pipeline([*USE, ("SET", "last", "1")])
        names = set(names_until(monitor, "last"))
    assert {"set", "get", "incr", "mset", "mget", "ttl", "del"} <= names
    assert "ping" not in names


def test_the_flag_mirrors_writes(cluster: EmbeddedCluster, standalone: EmbeddedRedis) -> None:
    flags = ["--seed", cluster.seeds, "--mirror", standalone.address]
    with Proxy(flags) as proxy, proxy.client() as client, Monitor(standalone.node) as monitor:
        client.pipeline([("GET", "a"), ("SET", "a", "1"), ("GET", "a"), ("SET", "last", "1")])
        names = names_until(monitor, "last")
    assert "set" in names
    assert "get" not in names


@pytest.mark.parametrize(("fraction", "least", "most"), [("0%", 0, 0), ("50%", 400, 600), ("100%", 1000, 1000)])
def test_a_fraction_of_the_commands_is_copied(
    cluster: EmbeddedCluster, standalone: EmbeddedRedis, fraction: str, least: int, most: int
) -> None:
    with mirrored(cluster, standalone, {**WRITES, "runtime_fraction": fraction}) as (proxy, client):
        await_true(lambda: client.command("SET", "first", "1") == b"+OK\r\n")
        assert client.pipeline([("INCR", "count")] * 1000)[-1] == b":1000\r\n"
        await_true(lambda: proxy.metrics().total("rproxy_upstream_requests_in_flight", cluster="mirror") == 0)
        copied = int(standalone.call("GET", "count") or 0)
        sent = proxy.metrics().total("rproxy_mirror_sent_total", cluster="mirror")
    assert least <= copied <= most
    assert copied <= sent <= copied + 1


def test_a_fraction_is_drawn_for_a_command_not_for_its_fragments(
    cluster: EmbeddedCluster, standalone: EmbeddedRedis
) -> None:
    with mirrored(cluster, standalone, {**WRITES, "runtime_fraction": "50%"}) as (proxy, client):
        for number in range(60):
            client.command("MSET", *(part for key in range(20) for part in (f"{number}:{key}", "1")))
        await_true(lambda: proxy.metrics().total("rproxy_upstream_requests_in_flight", cluster="mirror") == 0)
    groups = [sum(1 for key in standalone.call("KEYS", f"{number}:*")) for number in range(60)]
    assert set(groups) == {0, 20}


def use(client: RawClient, count: int) -> None:
    """Ordinary use, with every reply checked."""
    client.set_timeout(5)
    for start in range(0, count, 500):
        numbers = range(start, start + 500)
        assert client.pipeline([("SET", f"k:{number}", number) for number in numbers]) == [b"+OK\r\n"] * 500
        expected = [b"$%d\r\n%d\r\n" % (len(str(number)), number) for number in numbers]
        assert client.pipeline([("GET", f"k:{number}") for number in numbers]) == expected


def test_a_dead_mirror_changes_nothing(cluster: EmbeddedCluster, own_mirror: EmbeddedRedis) -> None:
    own_mirror.node.kill()
    with mirrored(cluster, own_mirror, ALL) as (proxy, client):
        assert proxy.is_ready()
        use(client, 2000)
        assert proxy.metrics().total("rproxy_mirror_dropped_total", cluster="mirror") > 0
        own_mirror.node.restart()
        await_true(lambda: client.command("SET", "back", "1") == b"+OK\r\n" and own_mirror.call("EXISTS", "back"))


def test_a_hanging_mirror_changes_nothing(cluster: EmbeddedCluster, own_mirror: EmbeddedRedis) -> None:
    with mirrored(cluster, own_mirror, {**ALL}) as (proxy, client):
        use(client, 500)
        own_mirror.node.stop_process()
        use(client, 20_000)
        metrics = proxy.metrics()
        assert metrics.total("rproxy_mirror_dropped_total", cluster="mirror") > 0
        own_mirror.node.cont()
        use(client, 500)


def test_a_mirror_that_dies_meanwhile_changes_nothing(cluster: EmbeddedCluster, own_mirror: EmbeddedRedis) -> None:
    with mirrored(cluster, own_mirror, ALL) as (_, client):
        use(client, 500)
        own_mirror.node.kill()
        use(client, 1500)


def test_errors_of_a_mirror_are_not_seen(cluster: EmbeddedCluster, own_mirror: EmbeddedRedis) -> None:
    own_mirror.call("RPUSH", "a", "not a string")
    with mirrored(cluster, own_mirror, WRITES) as (_, client):
        assert client.command("INCR", "a") == b":1\r\n"
        assert client.command("APPEND", "a", "0") == b":2\r\n"
