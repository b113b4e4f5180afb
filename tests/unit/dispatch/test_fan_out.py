"""Commands to every shard: whom they reach, and what the replies become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rproxy.commands.lookup import SPECS
from rproxy.commands.spec import Plan, ResponsePolicy
from rproxy.dispatch.fan_out import SPECIAL
from rproxy.routing.routes import MirrorRule, Route
from rproxy.topology.snapshot import Endpoint, Topology
from tests.support.dispatch import Dispatch
from tests.support.fake_node import FakeNode
from tests.support.upstream import topology_of


def test_a_fan_out_has_a_policy_or_a_way_of_its_own() -> None:
    special = {
        spec.name for spec in SPECS if spec.plan == Plan.FAN_OUT and spec.response_policy is ResponsePolicy.SPECIAL
    }
    assert special <= set(SPECIAL)


@pytest.mark.parametrize(
    ("command", "answers", "reply"),
    [
        ("DBSIZE", [b":1\r\n", b":20\r\n", b":300\r\n"], b":321\r\n"),
        ("FLUSHALL", [b"+OK\r\n"] * 3, b"+OK\r\n"),
        pytest.param(
            "FLUSHALL",
            [b"+OK\r\n", b"-READONLY You can't write.\r\n", b"+OK\r\n"],
            b"-READONLY You can't write.\r\n",
            marks=pytest.mark.late,
        ),
        ("SCRIPT LOAD x", [b"$1\r\nh\r\n"] * 3, b"$1\r\nh\r\n"),
        (
            "SCRIPT EXISTS h i",
            [b"*2\r\n:1\r\n:1\r\n", b"*2\r\n:1\r\n:0\r\n", b"*2\r\n:1\r\n:1\r\n"],
            b"*2\r\n:1\r\n:0\r\n",
        ),
    ],
)
async def test_the_replies_of_all_shards_become_one(
    dispatch: Dispatch, nodes: list[FakeNode], command: str, answers: list[bytes], reply: bytes
) -> None:
    for node, answer in zip(nodes, answers, strict=True):
        node.answers[command.split()[0]] = answer
    # READONLY is retried until its deadline, in the hope of a new primary; then it is the reply.
    assert await dispatch.call(*command.split()) == reply
    assert {word for node in nodes for word in node.received} == {tuple(command.encode().split())}


async def test_every_shard_is_asked_once(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    await dispatch.call("FLUSHDB", "ASYNC")
    assert [node.received for node in nodes] == [[(b"FLUSHDB", b"ASYNC")]] * 3
    assert [(index, stats.success) for index, stats in dispatch.clusters["main"].counted()] == [
        (spec.index, 1) for spec in SPECS if spec.name == b"FLUSHDB"
    ]


@pytest.mark.parametrize(("command", "times"), [("SCRIPT LOAD x", 1), ("SCRIPT FLUSH", 1), ("DBSIZE", 0)])
async def test_what_acts_on_nodes_reaches_the_replicas_too(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode], command: str, times: int
) -> None:
    primary, replica, other = nodes
    for node in nodes:
        node.answers["DBSIZE"] = b":1\r\n"
    dispatch = make_dispatch({"main": topology_of((primary.endpoint, replica.endpoint), (other.endpoint,))})
    await dispatch.call(*command.split())
    name = command.split()[0]
    assert [node.count(name) for node in nodes] == [1, times, 1]


async def test_clusters_of_all_routes_are_asked(
    make_dispatch: Callable[..., Dispatch], topology: Topology, nodes: list[FakeNode], start_node: Any
) -> None:
    other = await start_node({"DBSIZE": b":40\r\n"})
    for node in nodes:
        node.answers["DBSIZE"] = b":1\r\n"
    topologies = {"main": topology, "other": Topology.standalone(other.endpoint)}
    dispatch = make_dispatch(topologies, Route("main"), [Route("other", b"x:"), Route("other", b"y:")])
    assert await dispatch.call("DBSIZE") == b":43\r\n"


@pytest.mark.late
async def test_a_shard_that_is_down_fails_the_command(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]
) -> None:
    down = Endpoint("127.0.0.1", 1)
    dispatch = make_dispatch({"main": topology_of((nodes[0].endpoint,), (down,))})
    assert (await dispatch.call("FLUSHALL")).startswith(b"-CLUSTERDOWN ")


async def test_writes_are_copied_to_every_shard_of_a_mirror(
    make_dispatch: Callable[..., Dispatch], topology: Topology, start_node: Any
) -> None:
    copies = [await start_node() for _ in range(2)]
    topologies = {"main": topology, "mirror": topology_of(*((node.endpoint,) for node in copies))}
    dispatch = make_dispatch(topologies, Route("main", mirrors=(MirrorRule("mirror"),)))
    await dispatch.call("DBSIZE")
    await dispatch.call("FLUSHALL")
    for node in copies:
        await node.heard("FLUSHALL")
        assert node.received == [(b"FLUSHALL",)]


@pytest.mark.parametrize("command", ["DBSIZE", "SCRIPT EXISTS h"])
@pytest.mark.late
async def test_a_setting_leaves_out_shards_that_are_down(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode], command: str
) -> None:
    for node in nodes:
        node.answers |= {"DBSIZE": b":5\r\n", "SCRIPT": b"*1\r\n:1\r\n"}
    down = Endpoint("127.0.0.1", 1)
    shards = topology_of((nodes[0].endpoint,), (down,), (nodes[1].endpoint,))
    dispatch = make_dispatch({"main": shards}, proxy_settings={"fan_out_partial": True})
    reply = {"DBSIZE": b":10\r\n", "SCRIPT EXISTS h": b"*1\r\n:1\r\n"}[command]
    assert await dispatch.call(*command.split()) == reply
    # By now the primary is known to be down, and is not waited for.
    assert await dispatch.call(*command.split()) == reply
    assert (await dispatch.call("FLUSHALL")).startswith(b"-CLUSTERDOWN ")
    for node in nodes[:2]:
        await node.stop()
    assert (await dispatch.call(*command.split())).startswith((b"-CLUSTERDOWN ", b"-ERR upstream "))
