"""Clients come through an inbox, as ``server.hand_over`` sends them, and are served from then on."""

from __future__ import annotations

import asyncio
import json
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from rproxy.downstream.listener import Listener
from rproxy.routing.routes import Route
from rproxy.server import heritage as module
from rproxy.server import parcels
from rproxy.server.heritage import Heritage
from rproxy.topology.snapshot import Topology
from rproxy.upstream.subscription import Kind, Topic
from tests.support.client import pack
from tests.support.downstream import Client, Downstream
from tests.support.fake_node import FakeNode, echo
from tests.support.pubsub import asked, pubsub_answers, push, subscriber

NEWS = Topic(Kind.CHANNEL, b"news")
PLAIN = {
    "id": 7,
    "protocol": 2,
    "created": 1.0,
    "user": "default",
    "name": "me",
    "library": ["", ""],
    "marks": [],
    "topics": {},
}
"""A client between two commands, as ``dispatch.portable`` describes it."""


class UnixClient(Client):
    """A client on a socket that has no address."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer


class Inheriting:
    """A listener that takes what is sent to ``heir``."""

    def __init__(self, downstream: Downstream) -> None:
        self.downstream = downstream
        self.until = downstream.until
        self.subscriptions = downstream.clusters["main"].subscriptions
        self.inbox, self.heir = parcels.pair()
        self.heritage = Heritage(self.inbox, self._find)
        self._clients: list[Client] = []

    def _find(self, name: str) -> Listener | None:
        return self.downstream.listener if name == "redis" else None

    def tell(self, message: dict[str, Any], descriptors: Sequence[int] = (), content: bytes = b"") -> None:
        """Send a message, as the other rproxy does: ``content`` in a file behind the descriptors."""
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.flush()
            files = [file.fileno()] if content else []
            socket.send_fds(self.heir, [json.dumps(message).encode()], [*descriptors, *files])

    async def hand_over(self, unread: bytes = b"", listener: str = "redis", **session: Any) -> Client:
        """Hand over a client that has sent ``unread``; keywords replace what is known of it."""
        ours, theirs = socket.socketpair()
        with theirs:
            self.tell({"listener": listener, "session": {**PLAIN, **session}}, [theirs.fileno()], unread)
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        self._clients.append(UnixClient(reader, writer))
        return self._clients[-1]

    async def announce(self, *topics: tuple[str, str], process: int = 1) -> None:
        """Say what clients to come are subscribed to, and wait until that is known."""
        self.tell({"listener": "redis", "topics": topics, "process": process})
        await self.until(lambda: len(self.subscriptions.topics) >= len(topics))

    def awaits(self, topic: Topic) -> bool:
        """Whether what is published to ``topic`` waits for clients that do not listen yet."""
        return self.subscriptions.expected.holds([topic], lambda: None)

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.heritage.close()
        self.heir.close()


@pytest.fixture
async def node(start_node: Any) -> FakeNode:
    node: FakeNode = await start_node({"GET": echo, **pubsub_answers()})
    return node


@pytest.fixture
async def inheriting(make_downstream: Callable[..., Downstream], node: FakeNode) -> AsyncIterator[Inheriting]:
    inheriting = Inheriting(make_downstream({"main": Topology.standalone(node.endpoint)}))
    yield inheriting
    inheriting.close()


# -- clients


async def test_a_client_is_served_as_who_it_was_elsewhere(inheriting: Inheriting) -> None:
    client = await inheriting.hand_over()
    assert await client.call("GET", "a") == b"$1\r\na\r\n"
    assert await client.call("CLIENT", "ID") == b":7\r\n"
    assert await client.call("CLIENT", "GETNAME") == b"$2\r\nme\r\n"


async def test_what_was_read_of_a_client_comes_before_what_it_sends_now(inheriting: Inheriting, node: FakeNode) -> None:
    client = await inheriting.hand_over(pack("GET", "a") + pack("GET", "whole")[:-4])
    client.send(pack("GET", "whole")[-4:])
    assert [await client.reply() for _ in range(2)] == [b"$1\r\na\r\n", b"$5\r\nwhole\r\n"]
    assert node.count("GET") == 2


async def test_all_that_come_at_once_are_taken(inheriting: Inheriting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TAKEN_AT_ONCE", 2)
    clients = [await inheriting.hand_over(pack("GET", str(number)), id=number) for number in range(7)]
    assert [await client.reply() for client in clients] == [b"$1\r\n%d\r\n" % number for number in range(7)]


async def test_a_client_of_an_unknown_listener_is_closed(inheriting: Inheriting) -> None:
    client = await inheriting.hand_over(pack("GET", "a"), listener="other")
    assert await client.rest() == b""
    assert await (await inheriting.hand_over()).call("GET", "a") == b"$1\r\na\r\n"


async def test_who_has_left_meanwhile_is_forgotten(inheriting: Inheriting) -> None:
    with socket.socket() as unconnected:
        inheriting.tell({"listener": "redis", "session": PLAIN}, [unconnected.fileno()])
    client = await inheriting.hand_over()
    assert await client.call("GET", "a") == b"$1\r\na\r\n"
    assert len(inheriting.downstream.listener.connections) == 1


async def test_scripts_are_known(inheriting: Inheriting) -> None:
    bodies = ["return 1", "return '\xff'"]
    inheriting.tell({"listener": "redis", "scripts": 2}, content=json.dumps(bodies).encode())
    scripts = inheriting.downstream.context.scripts
    await inheriting.until(scripts.bodies)
    assert scripts.bodies() == [b"return 1", b"return '\xff'"]


# -- topics of clients to come


async def test_what_clients_to_come_are_subscribed_to_is_subscribed_to_at_once(
    inheriting: Inheriting, node: FakeNode
) -> None:
    await inheriting.announce(("CHANNEL", "news"), ("PATTERN", "n\xff*"), ("SHARD", "b"))
    await inheriting.until(lambda: len(node.received) == 3)
    assert set(node.received) == {(b"subscribe", b"news"), (b"psubscribe", b"n\xff*"), (b"ssubscribe", b"b")}
    assert {topic.topic for topic in inheriting.subscriptions.topics} == {
        NEWS,
        Topic(Kind.PATTERN, b"n\xff*"),
        Topic(Kind.SHARD, b"b"),
    }


async def test_a_client_that_comes_shares_the_subscription_and_hears(inheriting: Inheriting, node: FakeNode) -> None:
    await inheriting.announce(("CHANNEL", "news"))
    await inheriting.until(lambda: asked(node))
    client = await inheriting.hand_over(topics={"CHANNEL": ["news"]})
    await inheriting.until(lambda: inheriting.subscriptions.listening)
    inheriting.heritage.close()
    subscriber(node).send(push("message", "news", "1"))
    assert await client.reply() == push("message", "news", "1")
    assert asked(node) == [("subscribe", "news")]


async def test_what_is_published_waits_for_them_until_all_of_a_process_are_there(inheriting: Inheriting) -> None:
    await inheriting.announce(("CHANNEL", "news"))
    await inheriting.announce(("CHANNEL", "news"), ("CHANNEL", "other"), process=2)
    other = Topic(Kind.CHANNEL, b"other")
    assert inheriting.awaits(NEWS)
    inheriting.tell({"settled": 2})
    await inheriting.until(lambda: not inheriting.awaits(other))
    assert inheriting.awaits(NEWS)
    inheriting.tell({"settled": 1})
    await inheriting.until(lambda: not inheriting.awaits(NEWS))


async def test_what_nobody_came_for_is_unsubscribed_from_at_the_end(inheriting: Inheriting, node: FakeNode) -> None:
    await inheriting.announce(("CHANNEL", "news"))
    await inheriting.until(lambda: asked(node))
    inheriting.heir.close()
    await inheriting.until(lambda: len(asked(node)) == 2)
    assert asked(node) == [("subscribe", "news"), ("unsubscribe", "news")]
    assert inheriting.inbox.fileno() == -1


async def test_sharded_channels_go_by_the_routes_and_others_by_the_one_without_keys(
    make_downstream: Callable[..., Downstream], node: FakeNode, start_node: Any
) -> None:
    short = await start_node(pubsub_answers())
    topologies = {"main": Topology.standalone(node.endpoint), "short": Topology.standalone(short.endpoint)}
    route = Route("short", b"s:", remove_prefix=True)
    inheriting = Inheriting(make_downstream(topologies, routes=[route]))
    await inheriting.announce(("CHANNEL", "s:a"), ("SHARD", "b"))
    inheriting.tell({"listener": "redis", "topics": [("SHARD", "s:c")], "process": 1})
    await inheriting.until(lambda: len(asked(node)) + len(asked(short)) == 3)
    assert sorted(asked(node)) == [("ssubscribe", "b"), ("subscribe", "s:a")]
    assert asked(short) == [("ssubscribe", "c")]
    inheriting.close()


async def test_a_sharded_channel_without_a_route_is_passed_over(
    make_downstream: Callable[..., Downstream], node: FakeNode
) -> None:
    topologies = {"main": Topology.standalone(node.endpoint)}
    inheriting = Inheriting(make_downstream(topologies, None, routes=[Route("main", b"m:")]))
    inheriting.tell({"listener": "redis", "topics": [("SHARD", "x"), ("SHARD", "m:y")], "process": 1})
    await inheriting.until(lambda: asked(node))
    assert asked(node) == [("ssubscribe", "m:y")]
    inheriting.close()


# -- its end


async def test_it_ends_with_those_who_hand_over(inheriting: Inheriting) -> None:
    client = await inheriting.hand_over()
    assert await client.call("GET", "a") == b"$1\r\na\r\n"
    inheriting.heir.close()
    await inheriting.until(lambda: inheriting.inbox.fileno() < 0)
    assert await client.call("GET", "b") == b"$1\r\nb\r\n"


async def test_nothing_more_is_taken_once_it_is_closed(inheriting: Inheriting) -> None:
    inheriting.heritage.close()
    inheriting.heritage.close()
    with pytest.raises(OSError, match=r"Broken pipe|Connection reset"):
        inheriting.tell({"settled": 1})
