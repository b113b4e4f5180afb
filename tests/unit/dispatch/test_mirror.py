"""Mirrors: what is copied, how often, and what becomes of it where there is no room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from rproxy.commands.lookup import COMMANDS
from rproxy.dispatch import mirror as mirror_module
from rproxy.routing.routes import MirrorRule, Route
from rproxy.topology.snapshot import Endpoint, Topology
from tests.support.dispatch import Dispatch
from tests.support.fake_node import CLOSE, SILENCE, FakeNode
from tests.support.upstream import topology_of

NOWHERE = Topology.standalone(Endpoint("127.0.0.1", 1))
"""A mirror where nobody listens."""


@pytest.fixture
async def mirror(start_node: Any) -> FakeNode:
    """The node behind a standalone mirror."""
    node: FakeNode = await start_node()
    return node


def mirrored(
    make_dispatch: Callable[..., Dispatch], main: Topology, copies: Topology, **keywords: Any
) -> tuple[Dispatch, Route]:
    """A dispatcher whose only route has one mirror."""
    rule = {key: keywords.pop(key) for key in ("exclude_read_commands", "fraction") if key in keywords}
    route = Route("main", mirrors=(MirrorRule("mirror", **rule),))
    return make_dispatch({"main": main, "mirror": copies}, route, **keywords), route


async def test_reads_can_be_left_out(make_dispatch: Any, topology: Topology, mirror: FakeNode) -> None:
    copies = Topology.standalone(mirror.endpoint)
    dispatch, route = mirrored(make_dispatch, topology, copies, exclude_read_commands=True)
    for command in (["GET", "b"], ["MGET", "b", "c"], ["INFO"], ["OBJECT", "FREQ", "b"], ["DBSIZE"], ["SCAN", "0"]):
        await dispatch.call(*command)
    for command in (["SET", "b", "1"], ["DEL", "b", "c"], ["EVAL", "", "1", "b"], ["FLUSHALL"]):
        await dispatch.call(*command)
    await mirror.heard("FLUSHALL")
    assert [command[0] for command in mirror.received] == [b"SET", b"DEL", b"EVAL", b"FLUSHALL"]
    assert (dispatch.mirror(route).sent, dispatch.mirror(route).dropped) == (4, 0)


async def test_the_fraction_is_drawn_once_per_command(make_dispatch: Any, topology: Topology, start_node: Any) -> None:
    low, high = await start_node(), await start_node()
    draws = iter([0.5, 0.4999, 0.9, 0.0])
    copies = topology_of((low.endpoint,), (high.endpoint,))
    dispatch, route = mirrored(make_dispatch, topology, copies, fraction=0.5, draw=lambda: next(draws))
    await dispatch.call("MSET", "a", "out", "b", "out", "c", "out")
    await dispatch.call("MSET", "a", "in", "b", "in", "c", "in")
    await dispatch.call("SET", "b", "out")
    await dispatch.call("SET", "a", "in")
    await asyncio.gather(low.heard("MSET", 2), high.heard("SET"))
    assert low.received + high.received == [
        (b"MSET", b"b", b"in"),
        (b"MSET", b"c", b"in"),
        (b"MSET", b"a", b"in"),
        (b"SET", b"a", b"in"),
    ]
    assert dispatch.mirror(route).sent == 4
    assert next(draws, None) is None


async def test_a_full_queue_drops_and_counts(make_dispatch: Any, topology: Topology, mirror: FakeNode) -> None:
    mirror.answers["SET"] = SILENCE
    copies = Topology.standalone(mirror.endpoint)
    dispatch, route = mirrored(make_dispatch, topology, copies, settings={"mirror": {"mirror_queue_limit": 10}})
    for number in range(25):
        assert await dispatch.call("SET", "b", str(number)) == b"+OK\r\n"
    assert (dispatch.mirror(route).sent, dispatch.mirror(route).dropped) == (10, 15)
    await mirror.heard("SET", 10)
    assert [command[-1] for command in mirror.received] == [b"%d" % number for number in range(10)]


async def test_copies_are_bounded_in_bytes(make_dispatch: Any, topology: Topology) -> None:
    dispatch, route = mirrored(make_dispatch, topology, NOWHERE)
    mirror, spec = dispatch.mirror(route), COMMANDS.get(b"SET")
    most = bytes(mirror_module.BYTES_MOST)
    mirror.copy(spec, most + b"x", 0, len(most) + 1, 0)
    assert (mirror.sent, mirror.dropped) == (0, 1)
    mirror.copy(spec, most, 0, len(most) - 9, 0)
    mirror.copy(spec, most, 0, 10, 0)
    mirror.copy(spec, most, 0, 9, 0)
    assert (mirror.sent, mirror.dropped) == (2, 2)


@pytest.mark.parametrize("answer", [CLOSE, SILENCE, b"-ERR no\r\n", b"-MOVED 0 127.0.0.1:1\r\n", b"no RESP\r\n"])
async def test_whatever_a_mirror_does_the_client_does_not_know(
    make_dispatch: Any, topology: Topology, mirror: FakeNode, answer: bytes
) -> None:
    mirror.answers["SET"] = answer
    dispatch, _ = mirrored(make_dispatch, topology, Topology.standalone(mirror.endpoint))
    for number in range(20):
        assert await dispatch.call("SET", "b", str(number)) == b"+OK\r\n"
        assert await dispatch.call("MSET", "b", "1", "c", "2") == b"+OK\r\n"
    await mirror.heard("SET")


@pytest.mark.parametrize("copies", [NOWHERE, Topology.empty()], ids=["unreachable", "without a topology"])
async def test_a_mirror_that_is_not_there_costs_nothing(make_dispatch: Any, topology: Topology, copies: Any) -> None:
    dispatch, route = mirrored(make_dispatch, topology, copies)
    for command in (["SET", "b", "1"], ["MSET", "b", "1", "c", "2"], ["PUBLISH", "b", "1"], ["FLUSHALL"]):
        assert await dispatch.call(*command) == b"+OK\r\n"
    await dispatch.until(lambda: not dispatch.clusters["mirror"].pools.in_flight())
    assert not dispatch.clusters["main"].failures
    if copies is not NOWHERE:
        assert dispatch.mirror(route).sent == 0
        assert dispatch.mirror(route).dropped > 0


async def test_each_mirror_of_a_route_has_its_own_rule_and_statistics(
    make_dispatch: Any, topology: Topology, start_node: Any
) -> None:
    first, second = await start_node(), await start_node()
    topologies = {"main": topology, "first": Topology.standalone(first.endpoint)}
    topologies["second"] = Topology.standalone(second.endpoint)
    route = Route("main", mirrors=(MirrorRule("first", exclude_read_commands=True), MirrorRule("second")))
    dispatch = make_dispatch(topologies, route)
    await dispatch.call("GET", "b")
    await dispatch.call("SET", "b", "1")
    await asyncio.gather(first.heard("SET"), second.heard("SET"))
    assert first.received == [(b"SET", b"b", b"1")]
    assert second.received == [(b"GET", b"b"), (b"SET", b"b", b"1")]
    assert [dispatch.mirror(route, index).sent for index in (0, 1)] == [1, 2]
    await dispatch.until(lambda: sum(stats.success for _, stats in dispatch.clusters["second"].counted()) == 2)
