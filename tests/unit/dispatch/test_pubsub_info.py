"""PUBSUB: one answer of what every node, and this worker, know of subscribers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rproxy.resp import encode
from rproxy.topology.snapshot import Topology
from tests.support.downstream import Client, Downstream
from tests.support.fake_node import Command, FakeNode
from tests.support.pubsub import pubsub_answers


def counts(here: dict[bytes, int]) -> Callable[[Command], bytes]:
    """What a node with these subscribers says to NUMSUB."""
    return lambda command: encode.reply([item for name in command[2:] for item in (name, here.get(name, 0))])


@pytest.fixture
async def downstream(
    make_downstream: Callable[..., Downstream], topology: Topology, nodes: list[FakeNode]
) -> Downstream:
    for node in nodes:
        node.answers |= pubsub_answers()
    return make_downstream({"main": topology})


@pytest.fixture
async def client(downstream: Downstream) -> Client:
    return await downstream.client()


async def subscribe(downstream: Downstream, *command: str) -> Client:
    client = await downstream.client()
    await client.call(*command)
    return client


async def test_channels_of_all_nodes_are_shown_once(
    client: Client, downstream: Downstream, nodes: list[FakeNode]
) -> None:
    for node, channels in zip(nodes, ([b"x"], [], [b"x", b"y"]), strict=True):
        node.answers["PUBSUB CHANNELS"] = encode.reply(channels)
    await subscribe(downstream, "SUBSCRIBE", "mine")
    await subscribe(downstream, "SSUBSCRIBE", "sharded")
    assert await client.call("PUBSUB", "CHANNELS") == encode.reply([b"mine", b"x", b"y"])
    assert await client.call("PUBSUB", "CHANNELS", "m*") == encode.reply([b"mine", b"x", b"y"])
    assert await client.call("PUBSUB", "CHANNELS", "n*") == encode.reply([b"x", b"y"])
    assert nodes[0].received[-1] == (b"PUBSUB", b"CHANNELS", b"n*")


async def test_subscribers_of_all_nodes_are_summed(
    client: Client, downstream: Downstream, nodes: list[FakeNode]
) -> None:
    for node, here in zip(nodes, ({b"a": 2}, {b"a": 3}, {b"b": 1}), strict=True):
        node.answers["PUBSUB NUMSUB"] = counts(here)
    assert await client.call("PUBSUB", "NUMSUB", "a", "b", "c") == encode.reply([b"a", 5, b"b", 1, b"c", 0])
    subscribers = [await subscribe(downstream, "SUBSCRIBE", "a") for _ in range(4)]
    assert await client.call("PUBSUB", "NUMSUB", "a") == encode.reply([b"a", 5 - 1 + len(subscribers)])
    assert await client.call("PUBSUB", "NUMSUB") == b"*0\r\n"


async def test_patterns_of_all_nodes_are_summed(client: Client, downstream: Downstream, nodes: list[FakeNode]) -> None:
    for node in nodes:
        node.answers["PUBSUB NUMPAT"] = b":1\r\n"
    assert await client.call("PUBSUB", "NUMPAT") == b":3\r\n"
    for _ in range(2):
        await subscribe(downstream, "PSUBSCRIBE", "*")
    assert await client.call("PUBSUB", "NUMPAT") == b":1\r\n"


async def test_an_error_of_a_node_is_the_answer(client: Client, nodes: list[FakeNode]) -> None:
    for node in nodes:
        node.answers["PUBSUB SHARDCHANNELS"] = b"-ERR unknown\r\n"
    assert await client.call("PUBSUB", "SHARDCHANNELS") == b"-ERR unknown\r\n"


async def test_an_answer_of_another_shape_is_an_error(client: Client) -> None:
    assert (await client.call("PUBSUB", "SHARDNUMSUB", "a")).startswith(b"-ERR the nodes gave replies")


async def test_without_a_topology_there_is_no_answer(make_downstream: Callable[..., Downstream]) -> None:
    client = await make_downstream({"main": Topology.empty()}).client()
    assert (await client.call("PUBSUB", "NUMPAT")).startswith(b"-CLUSTERDOWN the topology")
    assert (await client.call("PUBSUB", "HELP")).startswith(b"*14\r\n+PUBSUB <subcommand>")


async def test_too_many_patterns_are_refused(client: Client) -> None:
    assert await client.call("PUBSUB", "channels", "a", "b") == (
        b"-ERR unknown subcommand or wrong number of arguments for 'channels'. Try PUBSUB HELP.\r\n"
    )
