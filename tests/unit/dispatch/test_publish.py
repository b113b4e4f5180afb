"""Where messages are published, and how many clients are said to get them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from rproxy.routing.routes import MirrorRule, Route
from rproxy.topology.snapshot import Topology
from tests.support.dispatch import Dispatch
from tests.support.downstream import Client, Downstream
from tests.support.fake_node import Command, FakeNode
from tests.support.pubsub import confirm, pubsub_answers, push
from tests.support.upstream import topology_of


@pytest.fixture
async def publishers(nodes: list[FakeNode]) -> list[FakeNode]:
    """The three nodes, each with a number of subscribers of its own: 1, 2 and 3 beside those that come to it."""
    for number, node in enumerate(nodes, 1):
        node.answers |= pubsub_answers() | {"PUBLISH": b":%d\r\n" % number, "SPUBLISH": b":%d\r\n" % number}
    return nodes


def asked(nodes: list[FakeNode]) -> list[int]:
    return [node.count("PUBLISH") + node.count("SPUBLISH") for node in nodes]


async def subscribe(downstream: Downstream, *command: str) -> Client:
    client = await downstream.client()
    await client.call(*command)
    return client


def hold_back(node: FakeNode, until: asyncio.Event, answer: Callable[[Command], bytes] = confirm) -> None:
    """Have the node confirm subscriptions late."""

    async def late(command: Command) -> bytes:
        await until.wait()
        return answer(command)

    node.answers |= {"SUBSCRIBE": late, "PSUBSCRIBE": late, "SSUBSCRIBE": late}


async def publisher_is_held(downstream: Downstream) -> bool:
    """Wait until the commands of both clients wait."""
    await downstream.until(lambda: all(one.session.is_held for one in downstream.listener.connections))
    return len(downstream.listener.connections) == 2


async def test_every_message_goes_to_one_node(
    make_dispatch: Callable[..., Dispatch], topology: Topology, publishers: list[FakeNode]
) -> None:
    draws = iter([0.5])
    dispatch = make_dispatch({"main": topology}, draw=lambda: next(draws))
    for channel in ("a", "b", "c"):
        assert await dispatch.call("PUBLISH", channel, "x") == b":2\r\n"
    assert asked(publishers) == [0, 3, 0]


async def test_sharded_messages_go_to_their_shard(dispatch: Dispatch, publishers: list[FakeNode]) -> None:
    assert [await dispatch.call("SPUBLISH", channel, "x") for channel in ("b", "c", "a")] == [
        b":1\r\n",
        b":2\r\n",
        b":3\r\n",
    ]


async def test_clients_here_are_counted_instead_of_what_they_share(
    make_downstream: Callable[..., Downstream], topology: Topology, publishers: list[FakeNode]
) -> None:
    downstream = make_downstream({"main": topology})
    commands = [("SUBSCRIBE", "news"), ("SUBSCRIBE", "news"), ("PSUBSCRIBE", "n*"), ("SSUBSCRIBE", "b")]
    clients = [await subscribe(downstream, *command) for command in commands]
    publisher = await downstream.client()
    # The first node answers 1, which stands for what is shared; then also for a subscriber of its own.
    assert await publisher.call("PUBLISH", "news", "x") == b":3\r\n"
    publishers[0].answers["PUBLISH"] = b":3\r\n"
    assert await publisher.call("PUBLISH", "news", "x") == b":4\r\n"
    assert await publisher.call("PUBLISH", "other", "x") == b":3\r\n"
    assert await publisher.call("SPUBLISH", "b", "x") == b":1\r\n"
    assert await publisher.call("SPUBLISH", "a", "x") == b":3\r\n"
    assert len(clients) == 4


@pytest.mark.parametrize(
    ("subscribing", "publishing"),
    [
        ("SUBSCRIBE news", "PUBLISH news x"),
        ("PSUBSCRIBE n*", "PUBLISH news x"),
        ("SSUBSCRIBE a b", "SPUBLISH b x"),
    ],
)
async def test_who_has_asked_before_is_published_to(
    make_downstream: Callable[..., Downstream],
    topology: Topology,
    publishers: list[FakeNode],
    subscribing: str,
    publishing: str,
) -> None:
    downstream = make_downstream({"main": topology})
    may_confirm = asyncio.Event()
    for node in publishers:
        hold_back(node, may_confirm)
    listener, publisher = await downstream.client(), await downstream.client()
    verb, *names = subscribing.split()
    listener.send(subscribing.encode() + b"\r\n")
    await downstream.until(lambda: sum(node.count(verb.lower()) for node in publishers) == len(names))
    publisher.send(publishing.encode() + b"\r\nPING\r\n")
    assert await publisher_is_held(downstream)
    assert asked(publishers) == [0, 0, 0]
    may_confirm.set()
    assert await publisher.reply() == b":1\r\n"
    assert await publisher.reply() == b"+PONG\r\n"
    for number, name in enumerate(names, 1):
        assert await listener.reply() == push(verb.lower(), name, number)


async def test_what_others_have_asked_for_is_not_waited_for(
    make_downstream: Callable[..., Downstream], topology: Topology, publishers: list[FakeNode]
) -> None:
    downstream = make_downstream({"main": topology})
    hold_back(publishers[0], asyncio.Event())
    listener, publisher = await downstream.client(), await downstream.client()
    listener.send(b"SUBSCRIBE news\r\n")
    await publishers[0].heard("subscribe")
    assert await publisher.call("PUBLISH", "sport", "x") == b":1\r\n"
    assert await publisher.call("SPUBLISH", "news", "x") != b":0\r\n"


@pytest.mark.parametrize("leaves", [True, False])
async def test_who_leaves_or_is_refused_is_not_waited_for_longer(
    make_downstream: Callable[..., Downstream], topology: Topology, publishers: list[FakeNode], leaves: bool
) -> None:
    downstream = make_downstream({"main": topology})
    may_refuse = asyncio.Event()
    hold_back(publishers[0], may_refuse, lambda _: b"-NOPERM no\r\n")
    listener, publisher = await downstream.client(), await downstream.client()
    listener.send(b"SUBSCRIBE news\r\n")
    await publishers[0].heard("subscribe")
    publisher.send(b"PUBLISH news x\r\n")
    assert await publisher_is_held(downstream)
    if leaves:
        listener.close()
    else:
        may_refuse.set()
    assert await publisher.reply() == b":1\r\n"


async def test_a_publisher_that_leaves_has_published(
    make_downstream: Callable[..., Downstream], topology: Topology, publishers: list[FakeNode]
) -> None:
    downstream = make_downstream({"main": topology})
    may_confirm = asyncio.Event()
    hold_back(publishers[0], may_confirm)
    listener, publisher = await downstream.client(), await downstream.client()
    listener.send(b"SUBSCRIBE news\r\n")
    await publishers[0].heard("subscribe")
    publisher.send(b"PUBLISH news x\r\n")
    assert await publisher_is_held(downstream)
    publisher.close()
    await downstream.until(lambda: len(downstream.listener.connections) == 1)
    may_confirm.set()
    await publishers[0].heard("PUBLISH")


async def test_another_shard_is_published_at_while_the_first_is_down(
    make_dispatch: Callable[..., Dispatch], topology: Topology, publishers: list[FakeNode]
) -> None:
    dispatch = make_dispatch({"main": topology})
    assert await dispatch.call("PUBLISH", "a", "x") == b":1\r\n"
    await publishers[0].stop()
    await dispatch.until(lambda: dispatch.clusters["main"].connection_for(0, False, 2) is None)
    assert await dispatch.call("PUBLISH", "a", "x") == b":2\r\n"


async def test_errors_are_passed_on_as_they_are(dispatch: Dispatch, publishers: list[FakeNode]) -> None:
    publishers[0].answers["PUBLISH"] = b"-NOPERM no\r\n"
    assert await dispatch.call("PUBLISH", "a", "x") == b"-NOPERM no\r\n"


async def test_messages_are_mirrored(
    make_dispatch: Callable[..., Dispatch], publishers: list[FakeNode], topology: Topology
) -> None:
    main, mirror, _ = publishers
    topologies = {"main": topology_of((main.endpoint,)), "mirror": topology_of((mirror.endpoint,))}
    dispatch = make_dispatch(topologies, Route("main", mirrors=(MirrorRule("mirror"),)))
    assert await dispatch.call("PUBLISH", "a", "x") == b":1\r\n"
    await mirror.heard("PUBLISH")
