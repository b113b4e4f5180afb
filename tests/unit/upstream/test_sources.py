"""Where topics come from, by topology and failures."""

from __future__ import annotations

import pytest

from rproxy.topology.snapshot import Endpoint, Topology
from rproxy.upstream.failure import NO_TOPOLOGY, UNSERVED_SLOT
from rproxy.upstream.sources import Sources
from rproxy.upstream.subscription import Kind, Topic
from tests.support.upstream import topology_of

A, B, C, REPLICA = (Endpoint("10.0.0.1", port) for port in (1, 2, 3, 4))
THREE = topology_of((A, REPLICA), (B,), (C,))
NEWS = Topic(Kind.CHANNEL, b"news")


def sources_of(topology: Topology, draw: float = 0.0, failing: frozenset[Endpoint] = frozenset()) -> Sources:
    sources = Sources()
    sources.settle(topology, failing, lambda: draw)
    return sources


@pytest.mark.parametrize(
    ("topic", "endpoints"),
    [
        (NEWS, {B}),
        (Topic(Kind.PATTERN, b"n*"), {B}),
        (Topic(Kind.PATTERN, b"*"), {A, B, C}),
        (Topic(Kind.CHANNEL, b"__keyevent@0__:del"), {A, B, C}),
        (Topic(Kind.PATTERN, b"__keyspace@0__:*"), {A, B, C}),
        (Topic(Kind.SHARD, b"b"), {A}),
        (Topic(Kind.SHARD, b"a"), {C}),
        (Topic(Kind.SHARD, b"__keyevent@0__:del"), {B}),
    ],
)
def test_every_kind_of_topic_has_its_endpoints(topic: Topic, endpoints: set[Endpoint]) -> None:
    assert set(sources_of(THREE, 0.5).of(topic)) == endpoints


def test_the_carrier_stays_while_it_can() -> None:
    sources = sources_of(THREE)
    assert (sources.carrier, sources.home_slot) == (A, 0)
    sources.settle(topology_of((B,), (REPLICA, A)), set(), lambda: 0.0)
    assert (sources.carrier, sources.home_slot) == (A, 8192)
    sources.settle(topology_of((B,), (REPLICA,)), set(), lambda: 0.0)
    assert (sources.carrier, sources.home_slot) == (B, 0)


def test_a_carrier_that_fails_is_replaced() -> None:
    sources = sources_of(THREE)
    sources.settle(THREE, {A, B}, lambda: 0.0)
    assert sources.carrier == C
    sources.settle(THREE, {A, B, C}, lambda: 0.0)
    assert sources.carrier == A
    alone = sources_of(topology_of((A,)))
    alone.settle(topology_of((A,)), {A}, lambda: 0.0)
    assert alone.carrier == A


def test_messages_count_once_and_notifications_from_every_primary() -> None:
    sources = sources_of(THREE)
    assert [endpoint for endpoint in (A, B, REPLICA) if sources.has_told(endpoint, b"news")] == [A]
    notification = b"__keyspace@0__:key"
    assert [endpoint for endpoint in (A, B, REPLICA) if sources.has_told(endpoint, notification)] == [A, B]


def test_obstacles() -> None:
    assert Sources().obstacle(NEWS) is NO_TOPOLOGY
    assert Sources().carrier is None
    gap = Topology(THREE.shards, (0xFFFF,) * 16383 + (0,))
    assert sources_of(gap).obstacle(NEWS) is None
    assert sources_of(gap).obstacle(Topic(Kind.SHARD, b"a")) is UNSERVED_SLOT
