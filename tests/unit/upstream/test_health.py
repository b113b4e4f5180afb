"""Endpoints that are ejected because requests fail there: what makes it so, what follows, and what ends it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from rproxy.topology.read_policy import ReadPolicy
from rproxy.topology.refresh import RefreshPolicy, RefreshSchedule
from rproxy.upstream.health import NOT_READY_FOR
from rproxy.upstream.refresher import Refresher
from tests.support.fake_node import CLOSE, PATIENCE, SILENCE, FakeNode, echo
from tests.support.upstream import HandSet, Upstream, topology_of

EJECTION = 30.0
EJECTED = ["failed_outlier_check"]


class Watched:
    """A primary and its replicas under one read policy, with outlier detection and a clock that is set."""

    def __init__(self, nodes: list[FakeNode], make_upstream: Any, read_policy: ReadPolicy, **keys: Any) -> None:
        self.turn = HandSet(asyncio.get_running_loop())
        self.primary, *self.replicas = nodes
        self.upstream: Upstream = make_upstream(
            topology_of(tuple(node.endpoint for node in nodes)),
            read_policy=read_policy,
            turn=self.turn,
            outlier_detection={"consecutive_local_origin_failure": 2, "base_ejection_time": EJECTION, **keys},
        )
        self.cluster = self.upstream.cluster
        self.health = self.cluster.health

    def flags(self, node: FakeNode) -> list[str]:
        return self.health.flags(node.endpoint)

    async def read(self) -> bytes:
        return await self.upstream.call("GET", "a", is_read=True)

    async def read_in_vain(self, node: FakeNode, times: int = 1) -> None:
        """Reads that ``node`` gets, and does not answer in time."""
        node.answers["GET"] = SILENCE
        heard, answered = node.count("GET"), len(self.upstream.replies.delivered)
        for _ in range(times):
            self.upstream.send("GET", "a", is_read=True)
        await node.heard("GET", heard + times)
        self.turn.now += 1.1 * PATIENCE
        replies = await self.upstream.replies.have(answered + times)
        assert all(b"gave no answer in time" in reply for reply in replies[answered:])

    async def later(self, seconds: float) -> None:
        """Let time pass, and the janitor see it."""
        self.turn.now += seconds
        self.cluster.tick()


@pytest.fixture
async def nodes(start_node: Any) -> list[FakeNode]:
    """A primary and two replicas that answer reads by their role."""
    return [await start_node({"GET": b"+%s\r\n" % role}) for role in (b"primary", b"one", b"two")]


@pytest.fixture
async def pair(nodes: list[FakeNode], make_upstream: Any) -> Watched:
    """A primary and one replica, which is preferred."""
    return Watched(nodes[:2], make_upstream, ReadPolicy.PREFER_REPLICA)


# -- what makes it so


async def test_requests_that_are_not_answered_in_time_eject_a_replica(pair: Watched) -> None:
    (replica,) = pair.replicas
    assert await pair.read() == b"+one\r\n"
    await pair.read_in_vain(replica)
    assert pair.flags(replica) == []
    await pair.read_in_vain(replica)
    assert pair.flags(replica) == EJECTED
    assert [await pair.read() for _ in range(3)] == [b"+primary\r\n"] * 3


async def test_requests_of_one_moment_count_one_by_one(pair: Watched) -> None:
    (replica,) = pair.replicas
    await pair.read_in_vain(replica, times=2)
    assert pair.flags(replica) == EJECTED


async def test_an_answer_in_between_begins_the_count_anew(pair: Watched) -> None:
    (replica,) = pair.replicas
    for _ in range(3):
        await pair.read_in_vain(replica)
        # The late reply is no success; that to the next request is.
        replica.peers[-1].send(b"+late\r\n")
        replica.answers["GET"] = echo
        await pair.later(1)
        assert await pair.read() == b"$1\r\na\r\n"
    assert pair.flags(replica) == []


async def test_a_node_that_answers_every_request_too_late_is_ejected(pair: Watched) -> None:
    (replica,) = pair.replicas
    await pair.read_in_vain(replica)
    delivered = pair.cluster.traffic.received_bytes
    replica.peers[-1].send(b"+late\r\n")
    await pair.upstream.until(lambda: pair.cluster.traffic.received_bytes > delivered)
    await pair.read_in_vain(replica)
    assert pair.flags(replica) == EJECTED


@pytest.mark.parametrize("answer", [CLOSE, b"garbage\r\n"], ids=["lost", "garbage"])
async def test_connections_that_are_lost_with_requests_in_flight_eject_a_replica(pair: Watched, answer: bytes) -> None:
    (replica,) = pair.replicas
    replica.answers["GET"] = answer
    answers = [await pair.read() for _ in range(3)]
    assert pair.flags(replica) == EJECTED
    assert answers[-1] == b"+primary\r\n"
    assert pair.health.enforced == 1


async def test_a_read_that_was_sent_to_an_ejected_replica_is_answered_by_another_node(pair: Watched) -> None:
    (replica,) = pair.replicas
    replica.answers["GET"] = SILENCE
    old = [pair.upstream.send("GET", "a", is_read=True) for _ in range(2)]
    await replica.heard("GET", 2)
    pair.turn.now += 0.6 * PATIENCE
    young = pair.upstream.send("GET", "a", is_read=True)
    await replica.heard("GET", 3)
    pair.turn.now += 0.6 * PATIENCE
    await pair.upstream.replies.have(3)
    assert all(b"gave no answer in time" in pair.upstream.replies.of(token)[0] for token in old)
    assert pair.upstream.replies.of(young) == [b"+primary\r\n"]
    await replica.until_closed(0)


async def test_idle_connections_that_are_closed_are_no_failures(pair: Watched) -> None:
    (replica,) = pair.replicas
    for times in range(1, 5):
        assert await pair.read() == b"+one\r\n"
        replica.peers[-1].close()
        await pair.upstream.until(lambda: pair.cluster.traffic.active == 0)
        assert (len(replica.peers), pair.flags(replica)) == (times, [])


async def test_what_cannot_be_reached_is_tried_again_and_not_ejected(pair: Watched) -> None:
    (replica,) = pair.replicas
    await replica.stop()
    assert await pair.read() == b"+primary\r\n"
    for _ in range(5):
        failed = pair.cluster.traffic.failed
        pair.turn.now += 2
        await pair.upstream.until(lambda: pair.cluster.traffic.failed > failed)  # noqa: B023 - awaited here
    assert pair.flags(replica) == []
    await replica.start()
    pair.turn.now += 2
    await pair.upstream.until(lambda: pair.cluster.traffic.active == 2)
    assert await pair.read() == b"+one\r\n"


async def test_without_the_section_nothing_is_ejected(nodes: list[FakeNode], make_upstream: Any) -> None:
    watched = Watched(nodes[:2], make_upstream, ReadPolicy.PREFER_REPLICA)
    settings = watched.cluster.settings.model_copy(update={"outlier_detection": None})
    watched.cluster.reconfigure(settings, ReadPolicy.PREFER_REPLICA, op_timeout=PATIENCE, follows_redirections=True)
    await watched.read_in_vain(nodes[1], times=5)
    assert watched.flags(nodes[1]) == []


# -- how far it goes


async def test_a_primary_that_is_ejected_gets_writes_and_no_reads(nodes: list[FakeNode], make_upstream: Any) -> None:
    watched = Watched(nodes[:2], make_upstream, ReadPolicy.PREFER_PRIMARY)
    assert await watched.read() == b"+primary\r\n"
    await watched.read_in_vain(watched.primary, times=2)
    assert watched.flags(watched.primary) == EJECTED
    assert await watched.read() == b"+one\r\n"
    watched.upstream.send("SET", "a", "1")
    await watched.primary.heard("SET")
    # Its connection may carry writes, which cannot be sent again: it is left as it is.
    assert len(watched.primary.peers) == 1
    watched.primary.peers[0].send(b"+late\r\n" * 2 + b"+OK\r\n")
    assert (await watched.upstream.replies.have(5))[-1] == b"+OK\r\n"


async def test_the_only_place_is_used_though_it_is_ejected(nodes: list[FakeNode], make_upstream: Any) -> None:
    watched = Watched(nodes[:2], make_upstream, ReadPolicy.REPLICA)
    replica = nodes[1]
    await watched.read_in_vain(replica, times=2)
    assert watched.flags(replica) == EJECTED
    replica.answers["GET"] = b"+better\r\n"
    replica.peers[-1].close()
    assert await watched.read() == b"+better\r\n"


@pytest.mark.parametrize(
    ("percent", "ejected", "overflow"), [(0, 0, 3), (1, 1, 2), (33, 1, 2), (34, 2, 1), (67, 3, 0), (100, 3, 0)]
)
async def test_no_more_than_a_share_of_the_endpoints_is_ejected(
    nodes: list[FakeNode], make_upstream: Any, percent: int, ejected: int, overflow: int
) -> None:
    watched = Watched(nodes, make_upstream, ReadPolicy.ANY, max_ejection_percent=percent)
    watched.cluster.swap(topology_of(*((node.endpoint,) for node in nodes)))
    for number, node in enumerate(nodes):
        slot = number * 6000
        node.answers["GET"] = SILENCE
        for _ in range(2):
            watched.upstream.send("GET", "a", slot=slot, is_read=True)
        await node.heard("GET", 2)
    watched.turn.now += 1.1 * PATIENCE
    await watched.upstream.replies.have(6)
    assert sum(watched.flags(node) == EJECTED for node in nodes) == ejected == watched.health.ejected()
    assert (watched.health.enforced, watched.health.overflow) == (ejected, overflow)
    assert watched.health.counts() == (3, 3 - ejected)


# -- what ends it


async def test_an_ejection_ends_when_its_time_is_over(pair: Watched, caplog: pytest.LogCaptureFixture) -> None:
    (replica,) = pair.replicas
    caplog.set_level(logging.INFO, "rproxy.upstream")
    await pair.read_in_vain(replica, times=3)
    await pair.later(0.99 * EJECTION)
    assert pair.flags(replica) == EJECTED
    await pair.later(0.02 * EJECTION)
    assert pair.flags(replica) == []
    replica.answers["GET"] = b"+better\r\n"
    assert await pair.read() == b"+better\r\n"
    assert [record.getMessage() for record in caplog.records] == [
        f"cluster main: {replica.endpoint} is ejected for 30 s after 3 failures in a row (no answer in time)",
        f"cluster main: {replica.endpoint} is ejected no more",
    ]


async def test_who_leaves_the_topology_is_forgotten(pair: Watched) -> None:
    (replica,) = pair.replicas
    await pair.read_in_vain(replica, times=2)
    both = pair.cluster.topology
    pair.cluster.swap(topology_of((pair.primary.endpoint,)))
    assert pair.health.describe() == {str(pair.primary.endpoint): []}
    pair.cluster.swap(both)
    replica.answers["GET"] = b"+back\r\n"
    assert pair.flags(replica) == []
    assert await pair.read() == b"+back\r\n"


async def test_another_configuration_keeps_what_is_ejected(pair: Watched) -> None:
    (replica,) = pair.replicas
    await pair.read_in_vain(replica, times=2)
    settings = pair.cluster.settings.model_copy(update={"max_parked": 7})
    pair.cluster.reconfigure(settings, ReadPolicy.ANY, op_timeout=PATIENCE, follows_redirections=True)
    assert [await pair.read() for _ in range(4)] == [b"+primary\r\n"] * 4
    pair.cluster.reconfigure(
        settings.model_copy(update={"outlier_detection": None}),
        ReadPolicy.PREFER_REPLICA,
        op_timeout=PATIENCE,
        follows_redirections=True,
    )
    replica.answers["GET"] = b"+again\r\n"
    assert await pair.read() == b"+again\r\n"


# -- what says so itself


@pytest.mark.parametrize("line", [b"-LOADING Redis is loading\r\n", b"-MASTERDOWN Link with MASTER is down\r\n"])
async def test_reads_avoid_a_replica_that_says_that_it_is_not_ready(
    nodes: list[FakeNode], make_upstream: Any, line: bytes
) -> None:
    pair = Watched(nodes[:2], make_upstream, ReadPolicy.PREFER_REPLICA)
    (replica,) = pair.replicas
    replica.answers["GET"] = line
    pair.upstream.send("GET", "a", is_read=True)
    await replica.heard("GET")
    await pair.upstream.until(lambda: pair.flags(replica) == ["not_ready"])
    await pair.later(0.5)
    assert await pair.upstream.replies.have(1) == [b"+primary\r\n"]
    assert await pair.read() == b"+primary\r\n"
    assert replica.count("GET") == 1
    replica.answers["GET"] = b"+one\r\n"
    await pair.later(NOT_READY_FOR)
    assert await pair.read() == b"+one\r\n"
    assert pair.flags(replica) == []


async def test_one_that_is_not_ready_is_asked_if_there_is_no_other(nodes: list[FakeNode], make_upstream: Any) -> None:
    pair = Watched(nodes[:2], make_upstream, ReadPolicy.REPLICA)
    (replica,) = pair.replicas
    replica.answers["GET"] = b"-LOADING Redis is loading\r\n"
    pair.upstream.send("GET", "a", is_read=True)
    await pair.upstream.until(lambda: pair.flags(replica) == ["not_ready"])
    replica.answers["GET"] = b"+one\r\n"
    await pair.later(0.5)
    assert await pair.upstream.replies.have(1) == [b"+one\r\n"]


# -- who is told


async def test_an_ejection_is_a_reason_to_refresh_where_that_is_wanted(pair: Watched) -> None:
    (replica,) = pair.replicas
    await pair.read()
    schedule = RefreshSchedule(RefreshPolicy(cluster_refresh_rate=86400, host_degraded_refresh_threshold=1))
    schedule.on_refreshed(pair.turn.now)
    pair.cluster.refresher = Refresher(pair.cluster, [], schedule)
    pair.cluster.health.on_failures(pair.cluster.pools.get(replica.endpoint, True), 2, pair.turn.now, 0.0, "a test")
    assert schedule.next_refresh_at(pair.turn.now, 0.0) <= pair.turn.now + 1


async def test_an_ejected_endpoint_is_asked_last(pair: Watched) -> None:
    (replica,) = pair.replicas
    await pair.read()
    health, pool = pair.health, pair.cluster.pools.get(pair.primary.endpoint, False)
    assert pair.cluster.known_endpoints() == [pair.primary.endpoint, replica.endpoint]
    health.on_failures(pool, 2, pair.turn.now, 0.0, "a test")
    assert pair.cluster.known_endpoints() == [replica.endpoint, pair.primary.endpoint]
    assert health.describe() == {str(pair.primary.endpoint): EJECTED, str(replica.endpoint): []}
    assert pair.cluster.describe()["health"] == health.describe()


async def test_commands_for_all_nodes_leave_it_out(pair: Watched) -> None:
    (replica,) = pair.replicas
    await pair.read()
    assert len(pair.cluster.replica_connections(0)) == 1
    await pair.read_in_vain(replica, times=2)
    assert pair.cluster.replica_connections(0) == []
