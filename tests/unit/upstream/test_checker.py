"""Active checks before scripted nodes: how they are asked, and what follows for reads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from rproxy.topology.read_policy import ReadPolicy
from tests.support.fake_node import CLOSE, PATIENCE, SILENCE, FakeNode
from tests.support.upstream import HandSet, Upstream, topology_of

PONG = b"+PONG\r\n"
LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"
CHECKS = {"interval": 0.01, "timeout": PATIENCE, "unhealthy_threshold": 2, "healthy_threshold": 2}
FAILED = ["failed_active_hc"]


@pytest.fixture
async def nodes(start_node: Any) -> list[FakeNode]:
    """A primary and a replica that are well."""
    return [await start_node({"GET": b"+%s\r\n" % role, "PING": PONG}) for role in (b"primary", b"replica")]


@pytest.fixture
async def make(nodes: list[FakeNode], make_upstream: Any) -> Any:
    def make(checks: dict[str, Any] | None = None, **settings: Any) -> Upstream:
        upstream: Upstream = make_upstream(
            topology_of(tuple(node.endpoint for node in nodes)),
            read_policy=ReadPolicy.PREFER_REPLICA,
            health_checks={**CHECKS, **(checks or {})},
            **settings,
        )
        return upstream

    return make


@pytest.fixture
async def upstream(make: Callable[..., Upstream]) -> Upstream:
    """A cluster whose nodes are checked."""
    return make()


def flags(upstream: Upstream, node: FakeNode) -> list[str]:
    return upstream.cluster.health.flags(node.endpoint)


async def read(upstream: Upstream) -> bytes:
    return await upstream.call("GET", "a", is_read=True)


async def test_every_endpoint_is_asked_again_and_again_on_a_connection_of_its_own(
    upstream: Upstream, nodes: list[FakeNode]
) -> None:
    for node in nodes:
        await node.heard("PING", 3)
    assert await read(upstream) == b"+replica\r\n"
    assert [len(node.peers) for node in nodes] == [1, 2]
    assert set(nodes[1].peers[0].commands) == {(b"PING",)}
    assert upstream.cluster.health.checked["success"] >= 6
    assert upstream.cluster.health.checked["failure"] == 0


async def test_a_check_authenticates_like_every_connection(make: Any, nodes: list[FakeNode]) -> None:
    make(username="app", password="secret")
    await nodes[1].heard("PING", 2)
    assert nodes[1].peers[0].commands[:3] == [(b"AUTH", b"app", b"secret"), (b"PING",), (b"PING",)]


@pytest.mark.parametrize("answer", [LOADING, CLOSE, b"+WHAT\r\n", b"garbage\r\n"])
async def test_a_replica_whose_checks_fail_gets_no_reads_until_they_are_good_again(
    upstream: Upstream, nodes: list[FakeNode], answer: bytes
) -> None:
    _, replica = nodes
    assert await read(upstream) == b"+replica\r\n"
    replica.answers["PING"] = answer
    await upstream.until(lambda: flags(upstream, replica) == FAILED)
    assert [await read(upstream) for _ in range(3)] == [b"+primary\r\n"] * 3
    assert upstream.cluster.health.counts() == (2, 1)
    replica.answers["PING"] = PONG
    await upstream.until(lambda: flags(upstream, replica) == [])
    assert await read(upstream) == b"+replica\r\n"


async def test_a_replica_that_cannot_be_reached_is_found_again(upstream: Upstream, nodes: list[FakeNode]) -> None:
    _, replica = nodes
    await replica.stop()
    await upstream.until(lambda: flags(upstream, replica) == FAILED)
    assert await read(upstream) == b"+primary\r\n"
    await replica.start()
    await upstream.until(lambda: flags(upstream, replica) == [])
    assert await read(upstream) == b"+replica\r\n"


async def test_reads_do_not_wait_on_a_replica_that_is_silent(make: Any, nodes: list[FakeNode]) -> None:
    _, replica = nodes
    upstream = make({"timeout": 0.1})
    replica.answers["GET"] = SILENCE
    waiting = upstream.send("GET", "a", is_read=True)
    await replica.heard("GET")
    replica.answers["PING"] = SILENCE
    await upstream.replies.have(1)
    assert upstream.replies.of(waiting) == [b"+primary\r\n"]
    assert flags(upstream, replica) == FAILED


async def test_a_primary_whose_checks_fail_gets_writes_all_the_same(upstream: Upstream, nodes: list[FakeNode]) -> None:
    primary, _ = nodes
    primary.answers["PING"] = LOADING
    await upstream.until(lambda: flags(upstream, primary) == FAILED)
    assert await upstream.call("SET", "a", "1") == b"+OK\r\n"
    assert primary.count("SET") == 1


async def test_a_good_check_ends_an_ejection(make: Any, nodes: list[FakeNode]) -> None:
    _, replica = nodes
    upstream = make(
        outlier_detection={"consecutive_local_origin_failure": 1, "base_ejection_time": 3600},
        turn=HandSet(asyncio.get_running_loop()),
    )
    replica.answers["PING"] = LOADING
    await upstream.until(lambda: flags(upstream, replica) == FAILED)
    pool = upstream.cluster.pools.get(replica.endpoint, True)
    upstream.cluster.health.on_failures(pool, 1, upstream.turn.now, 0.0, "a test")
    assert flags(upstream, replica) == [*FAILED, "failed_outlier_check"]
    replica.answers["PING"] = PONG
    await upstream.until(lambda: flags(upstream, replica) == [])
    assert await read(upstream) == b"+replica\r\n"


async def test_each_change_is_logged_once(
    upstream: Upstream, nodes: list[FakeNode], caplog: pytest.LogCaptureFixture
) -> None:
    _, replica = nodes
    caplog.set_level(logging.INFO, "rproxy.upstream")
    replica.answers["PING"] = LOADING
    await upstream.until(lambda: upstream.cluster.health.checked["failure"] >= 6)
    replica.answers["PING"] = PONG
    await upstream.until(lambda: flags(upstream, replica) == [])
    loading = LOADING.decode()[1:-2]
    assert [record.getMessage() for record in caplog.records] == [
        f"cluster main: {replica.endpoint} is unhealthy: its checks fail ({loading})",
        f"cluster main: {replica.endpoint} is healthy again",
    ]


# -- what is checked, and what is left over


async def test_checks_follow_the_topology(upstream: Upstream, nodes: list[FakeNode], start_node: Any) -> None:
    primary, replica = nodes
    replica.answers["PING"] = LOADING
    await upstream.until(lambda: flags(upstream, replica) == FAILED)
    newcomer = await start_node({"PING": PONG})
    upstream.cluster.swap(topology_of((primary.endpoint, newcomer.endpoint)))
    await newcomer.heard("PING", 2)
    for peer in range(len(replica.peers)):
        await replica.until_closed(peer)
    assert upstream.cluster.health.describe() == {str(primary.endpoint): [], str(newcomer.endpoint): []}


async def test_another_configuration_checks_by_its_own_settings_and_keeps_what_is_known(
    upstream: Upstream, nodes: list[FakeNode]
) -> None:
    _, replica = nodes
    replica.answers["PING"] = LOADING
    await upstream.until(lambda: flags(upstream, replica) == FAILED)
    settings = upstream.cluster.settings
    assert settings.health_checks is not None
    reconfigure(upstream, settings.model_copy(update={"max_parked": 7}))
    assert flags(upstream, replica) == FAILED
    assert await read(upstream) == b"+primary\r\n"
    replica.answers["PING"] = PONG
    await upstream.until(lambda: flags(upstream, replica) == [])
    replica.answers["PING"] = LOADING
    await upstream.until(lambda: flags(upstream, replica) == FAILED)
    reconfigure(upstream, settings.model_copy(update={"health_checks": None}))
    assert flags(upstream, replica) == []
    assert await read(upstream) == b"+replica\r\n"


def reconfigure(upstream: Upstream, settings: Any) -> None:
    upstream.cluster.reconfigure(settings, ReadPolicy.PREFER_REPLICA, op_timeout=PATIENCE, follows_redirections=True)


async def test_nothing_is_left_over(upstream: Upstream, nodes: list[FakeNode]) -> None:
    others = len(asyncio.all_tasks())
    for node in nodes:
        await node.heard("PING", 2)
    upstream.cluster.close()
    for node in nodes:
        await node.until_closed(0)
    # The checks of two endpoints, and what served their connections at the nodes.
    await upstream.until(lambda: len(asyncio.all_tasks()) < others)


async def test_without_the_section_nobody_is_asked(nodes: list[FakeNode], make_upstream: Any) -> None:
    upstream = make_upstream(topology_of(tuple(node.endpoint for node in nodes)))
    assert await upstream.call("GET", "a") == b"+primary\r\n"
    assert [node.count("PING") for node in nodes] == [0, 0]
