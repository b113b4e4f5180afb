"""Subscribing as a client sees it, before a scripted node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from rproxy.dispatch.session import State
from rproxy.routing.routes import Route
from rproxy.upstream.elsewhere import NoHerald
from tests.support.dispatch import MAIN
from tests.support.downstream import SMALL, Client, Downstream
from tests.support.fake_node import SILENCE, Command, FakeNode
from tests.support.pubsub import asked, confirm, pubsub_answers, push, push_3, subscriber
from tests.support.upstream import topology_of

MakeDownstream = Callable[..., Downstream]


@pytest.fixture
async def node(start_node: Any) -> FakeNode:
    node: FakeNode = await start_node(pubsub_answers())
    return node


@pytest.fixture
async def downstream(make_downstream: MakeDownstream, node: FakeNode) -> Downstream:
    return make_downstream({"main": topology_of((node.endpoint,))})


@pytest.fixture
async def client(downstream: Downstream) -> Client:
    return await downstream.client()


async def resp3(client: Client) -> Client:
    await client.call("HELLO", "3")
    return client


async def expect(client: Client, *pushes: bytes) -> None:
    """The next that ``client`` reads is ``pushes``."""
    wanted = b"".join(pushes)
    assert await client.read(len(wanted)) == wanted


# -- subscribing


async def test_every_name_is_confirmed_with_the_count(client: Client) -> None:
    client.send(b"SUBSCRIBE a b a\r\nPSUBSCRIBE p\r\nSSUBSCRIBE s\r\n")
    await expect(client, *(push("subscribe", name, count) for name, count in (("a", 1), ("b", 2), ("a", 2))))
    await expect(client, push("psubscribe", "p", 3), push("ssubscribe", "s", 1))


async def test_in_resp3_everything_is_pushed(client: Client, node: FakeNode) -> None:
    await resp3(client)
    client.send(b"SUBSCRIBE a b\r\n")
    await expect(client, push_3("subscribe", "a", 1), push_3("subscribe", "b", 2))
    subscriber(node).send(push("message", "a", "1"))
    await expect(client, push_3("message", "a", "1"))
    client.send(b"UNSUBSCRIBE a\r\nPUNSUBSCRIBE\r\n")
    await expect(client, push_3("unsubscribe", "a", 1), b">3\r\n$12\r\npunsubscribe\r\n_\r\n:1\r\n")


async def test_without_a_name_everything_of_the_kind_ends(client: Client, node: FakeNode) -> None:
    client.send(b"SUBSCRIBE a b\r\nPSUBSCRIBE p\r\nUNSUBSCRIBE\r\nUNSUBSCRIBE\r\nSUNSUBSCRIBE\r\n")
    await expect(client, push("subscribe", "a", 1), push("subscribe", "b", 2), push("psubscribe", "p", 3))
    await expect(client, push("unsubscribe", "a", 2), push("unsubscribe", "b", 1))
    await expect(client, b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:1\r\n", b"*3\r\n$12\r\nsunsubscribe\r\n$-1\r\n:0\r\n")
    await node.heard("unsubscribe", 2)


async def test_what_is_not_subscribed_to_is_confirmed_all_the_same(client: Client, node: FakeNode) -> None:
    client.send(b"UNSUBSCRIBE a b\r\n")
    await expect(client, push("unsubscribe", "a", 0), push("unsubscribe", "b", 0))
    assert not asked(node)


async def test_a_sharded_channel_of_a_route_is_called_by_its_own_name(
    make_downstream: MakeDownstream, node: FakeNode
) -> None:
    topologies = {"main": topology_of((node.endpoint,))}
    downstream = make_downstream(topologies, routes=[Route("main", b"app:", remove_prefix=True)])
    client = await downstream.client()
    client.send(b"SSUBSCRIBE app:x x\r\n")
    await expect(client, push("ssubscribe", "app:x", 1), push("ssubscribe", "x", 2))
    subscriber(node).send(push("smessage", "x", "1"))
    await expect(client, push("smessage", "app:x", "1"), push("smessage", "x", "1"))


async def test_a_sharded_channel_without_a_route_is_refused(make_downstream: MakeDownstream, node: FakeNode) -> None:
    topologies = {"main": topology_of((node.endpoint,))}
    downstream = make_downstream(topologies, None, routes=[Route("main", b"app:")])
    client = await downstream.client()
    assert await client.call("SSUBSCRIBE", "x") == b"-ERR no route for this key: no prefix matches\r\n"


# -- order


async def test_commands_behind_wait_until_it_is_confirmed(client: Client, node: FakeNode) -> None:
    may_confirm = asyncio.Event()

    async def late(command: Command) -> bytes:
        await may_confirm.wait()
        return confirm(command)

    node.answers["SUBSCRIBE"] = late
    client.send(b"PING\r\nSUBSCRIBE a\r\nPING\r\n")
    await expect(client, b"+PONG\r\n")
    await node.heard("subscribe")
    may_confirm.set()
    await expect(client, push("subscribe", "a", 1), push("pong", ""))


async def test_no_message_comes_before_its_confirmation(client: Client, downstream: Downstream, node: FakeNode) -> None:
    may_answer = asyncio.Event()

    async def late(command: Command) -> bytes:
        await may_answer.wait()
        return b"+late\r\n"

    node.answers["GET"] = late
    early = await downstream.client()
    early.send(b"SUBSCRIBE a\r\n")
    await expect(early, push("subscribe", "a", 1))
    await resp3(client)
    client.send(b"GET x\r\nSUBSCRIBE a\r\nECHO x\r\n")
    await node.heard("GET")
    subscriber(node).send(push("message", "a", "early"))
    await expect(early, push("message", "a", "early"))
    may_answer.set()
    await expect(client, b"+late\r\n", push_3("subscribe", "a", 1), b"$1\r\nx\r\n")
    subscriber(node).send(push("message", "a", "1"))
    await expect(client, push_3("message", "a", "1"))


# -- failures


async def test_one_name_that_fails_fails_the_command(client: Client, downstream: Downstream, node: FakeNode) -> None:
    def refuse_x(command: Command) -> bytes:
        return b"-NOPERM no\r\n" if command[1] == b"x" else confirm(command)

    node.answers["SUBSCRIBE"] = refuse_x
    assert await client.call("SUBSCRIBE", "a", "x", "b") == b"-NOPERM no\r\n"
    await node.heard("unsubscribe", 2)
    assert await client.call("ECHO", "x") == b"$1\r\nx\r\n"
    assert downstream.clusters["main"].subscriptions.listening == 0


@pytest.mark.late
async def test_an_upstream_that_does_not_confirm_is_an_error_in_time(client: Client, node: FakeNode) -> None:
    node.answers["SUBSCRIBE"] = SILENCE
    assert (await client.call("SUBSCRIBE", "a")).startswith(b"-CLUSTERDOWN no endpoint of cluster 'main'")
    assert await client.call("ECHO", "x") == b"$1\r\nx\r\n"


async def test_a_client_may_not_have_too_many(client: Client, downstream: Downstream) -> None:
    downstream.context.max_subscriptions = 3
    client.send(b"SUBSCRIBE a b\r\n")
    await expect(client, push("subscribe", "a", 1), push("subscribe", "b", 2))
    assert await client.call("PSUBSCRIBE", "p", "q") == b"-ERR max number of subscriptions per client reached\r\n"
    client.send(b"SUBSCRIBE a b c\r\n")
    await expect(client, *(push("subscribe", name, count) for name, count in (("a", 2), ("b", 2), ("c", 3))))


# -- the subscribed state


async def test_few_commands_are_allowed_in_resp2(client: Client) -> None:
    await client.call("SUBSCRIBE", "a")
    assert await client.call("CLIENT", "ID") == (
        b"-ERR Can't execute 'client|id': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET"
        b" are allowed in this context\r\n"
    )
    assert await client.call("PING") == push("pong", "")
    assert await client.call("PING", "hi") == push("pong", "hi")
    assert await client.call("PING", "a", "b") == b"-ERR wrong number of arguments for 'ping' command\r\n"
    await client.call("UNSUBSCRIBE", "a")
    assert await client.call("CLIENT", "ID") == b":1\r\n"


async def test_every_command_is_allowed_in_resp3(client: Client, downstream: Downstream) -> None:
    await resp3(client)
    client.send(b"SUBSCRIBE a\r\nECHO x\r\n")
    await expect(client, push_3("subscribe", "a", 1), b"$1\r\nx\r\n")
    session = (await downstream.connection()).session
    assert session.is_plain
    await client.call("HELLO", "2")
    assert session.states == State.SUBSCRIBED
    assert (await client.call("ECHO", "x")).startswith(b"-ERR Can't execute 'echo'")


async def test_a_reset_ends_subscriptions(client: Client, node: FakeNode) -> None:
    client.send(b"SUBSCRIBE a\r\nPSUBSCRIBE p\r\nRESET\r\nECHO x\r\n")
    await expect(client, push("subscribe", "a", 1), push("psubscribe", "p", 2), b"+RESET\r\n", b"$1\r\nx\r\n")
    await node.heard("punsubscribe")


async def test_a_subscriber_can_quit(client: Client, node: FakeNode) -> None:
    await client.call("SUBSCRIBE", "a")
    client.send(b"QUIT\r\n")
    assert await client.rest() == b"+OK\r\n"
    await node.heard("unsubscribe")


# -- clients that leave, and slow ones


async def test_one_who_leaves_gives_up_what_it_had(client: Client, downstream: Downstream, node: FakeNode) -> None:
    await client.call("SUBSCRIBE", "a")
    client.reset()
    await node.heard("unsubscribe")
    assert downstream.clusters["main"].subscriptions.listening == 0


async def test_one_who_leaves_while_it_waits_gives_up_what_it_wanted(
    client: Client, downstream: Downstream, node: FakeNode
) -> None:
    node.answers["SUBSCRIBE"] = SILENCE
    client.send(b"SUBSCRIBE a\r\n")
    await node.heard("subscribe")
    client.reset()
    await downstream.until(lambda: not downstream.listener.connections)
    await node.heard("unsubscribe")


async def test_a_slow_subscriber_is_closed_and_no_other(make_downstream: MakeDownstream, node: FakeNode) -> None:
    limits = {"output_buffer_limit": 64 * SMALL}
    downstream = make_downstream({"main": topology_of((node.endpoint,))}, limits=limits)
    slow, quick = await downstream.client(), await downstream.client()
    for client in (slow, quick):
        await client.call("SUBSCRIBE", "a")
    message = push("message", "a", "x" * SMALL)
    for _ in range(600):
        subscriber(node).send(message)
        await expect(quick, message)
    await downstream.until(lambda: len(downstream.listener.connections) == 1)
    assert downstream.clusters["main"].subscriptions.listening == 1


async def test_a_silent_subscriber_is_not_idle(make_downstream: MakeDownstream, node: FakeNode) -> None:
    downstream = make_downstream({"main": topology_of((node.endpoint,))}, MAIN, limits={"client_idle_timeout": 1})
    client, idle = await downstream.client(), await downstream.client()
    await client.call("SUBSCRIBE", "a")
    await idle.call("PING")
    downstream.listener.tick(downstream.turn.now + 2)
    assert await idle.rest() == b""
    assert len(downstream.listener.connections) == 1


class SlowHerald(NoHerald):
    """Has told the other workers only when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def when_told(self, then: Callable[[], None]) -> None:
        """Keep it for later."""
        self.waiting.append(then)


async def test_who_leaves_before_other_workers_know_leaves_nothing_behind(
    downstream: Downstream, client: Client, node: FakeNode
) -> None:
    subscriptions = downstream.clusters["main"].subscriptions
    herald = subscriptions.herald = SlowHerald()
    client.send(b"SUBSCRIBE a\r\n")
    await downstream.until(lambda: herald.waiting and all(each.is_confirmed for each in subscriptions.topics))
    client.reset()
    await downstream.until(lambda: not downstream.listener.connections)
    for then in herald.waiting:
        then()
    assert subscriptions.listening == 0
    assert len(subscriptions.topics) == 0
