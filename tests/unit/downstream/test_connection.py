"""A client's connection: its commands in order, its replies in order, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from rproxy.acl.rules import user_of
from rproxy.acl.users import Users
from rproxy.resp import encode
from tests.support.client import pack
from tests.support.downstream import Client, Downstream
from tests.support.fake_node import FakeNode, Gate

# -- commands and replies


async def test_a_command_is_answered(client: Client, nodes: list[FakeNode]) -> None:
    assert await client.call("GET", "b") == b"$1\r\nb\r\n"
    assert await client.call("PING") == b"+PONG\r\n"
    assert nodes[0].received == [(b"GET", b"b")]


async def test_replies_leave_in_the_order_of_the_commands_whatever_the_delays(
    client: Client, nodes: list[FakeNode]
) -> None:
    gates = [Gate(), Gate(), Gate()]
    for node, gate in zip(nodes, gates, strict=True):
        node.answers["GET"] = gate
    client.send(pack("GET", "b") + pack("PING") + pack("GET", "c") + pack("GET", "a") + pack("MGET", "b") + pack("NO"))
    for index in (2, 1, 0):
        await nodes[index].heard("GET")
        gates[index].is_open.set()
    assert [await client.reply() for _ in range(6)] == [
        b"$1\r\nb\r\n",
        b"+PONG\r\n",
        b"$1\r\nc\r\n",
        b"$1\r\na\r\n",
        b"+OK\r\n",
        b"-ERR unknown command 'NO', with args beginning with: \r\n",
    ]


async def test_a_stream_may_come_byte_by_byte(make: Callable[..., Downstream], nodes: list[FakeNode]) -> None:
    downstream = make()
    slow, other = await downstream.client(), await downstream.client()
    commands = pack("GET", "b") + b"\r\nPING\r\n*0\r\n" + pack("SET", "c", "\r\n$1\r\n") + b"GET 'a'\n"
    sending = asyncio.create_task(slow.send_slowly(commands))
    while not sending.done():  # a client in the middle of a command is not in the way of another
        assert await other.call("GET", "c") == b"$1\r\nc\r\n"
    replies = [await slow.reply() for _ in range(4)]
    assert replies == [b"$1\r\nb\r\n", b"+PONG\r\n", b"+OK\r\n", b"$1\r\na\r\n"]
    assert (b"SET", b"c", b"\r\n$1\r\n") in nodes[1].received


async def test_two_clients_in_the_middle_of_commands_do_not_mix(make: Callable[..., Downstream]) -> None:
    downstream = make()
    clients = [await downstream.client() for _ in range(3)]
    pieces = [b"*2\r\n$3\r\nGE", b"T\r\n$4\r\n", b"key", b"%d\r\n"]
    for piece in pieces:
        before = downstream.listener.traffic.received_bytes
        for number, client in enumerate(clients):
            client.send(piece % number if b"%" in piece else piece)
        size = 3 * (len(piece) - piece.count(b"%"))
        await downstream.until(lambda: downstream.listener.traffic.received_bytes == before + size)  # noqa: B023
    for number, client in enumerate(clients):
        assert await client.reply() == b"$4\r\nkey%d\r\n" % number


async def test_a_large_command_and_a_large_reply_pass(client: Client, nodes: list[FakeNode]) -> None:
    value = bytes(range(256)) * 8192
    assert await client.call("GET", b"{b}" + value) == encode.bulk(b"{b}" + value)
    assert nodes[0].received == [(b"GET", b"{b}" + value)]


async def test_bytes_are_counted(make: Callable[..., Downstream]) -> None:
    downstream = make()
    client = await downstream.client()
    await client.call("GET", "b")
    traffic = downstream.listener.traffic
    assert (traffic.received_bytes, traffic.sent_bytes) == (len(pack("GET", "b")), len(b"$1\r\nb\r\n"))


# -- the end of a connection


async def test_quit_closes_after_its_reply_and_those_before_it(client: Client, nodes: list[FakeNode]) -> None:
    nodes[0].answers["GET"] = gate = Gate()
    client.send(pack("GET", "b") + pack("QUIT") + pack("SET", "b", "never"))
    await nodes[0].heard("GET")
    gate.is_open.set()
    assert await client.rest() == b"$1\r\nb\r\n+OK\r\n"
    assert nodes[0].count("SET") == 0


@pytest.mark.parametrize(
    ("garbage", "error"),
    [
        (b"*1\r\n:1\r\n", "Protocol error: expected '$', got ':'"),
        (b"*x\r\n", "Protocol error: invalid multibulk length"),
        (b"*1\r\n$-1\r\n", "Protocol error: invalid bulk length"),
        (b"'unbalanced\r\n", "Protocol error: unbalanced quotes in request"),
    ],
)
async def test_a_malformed_stream_is_refused_after_the_replies_before_it(
    make: Callable[..., Downstream], nodes: list[FakeNode], garbage: bytes, error: str
) -> None:
    downstream = make()
    client = await downstream.client()
    nodes[0].answers["GET"] = gate = Gate()
    client.send(pack("GET", "b") + pack("PING") + garbage + pack("SET", "b", "never"))
    await nodes[0].heard("GET")
    gate.is_open.set()
    assert await client.rest() == b"$1\r\nb\r\n+PONG\r\n" + encode.error(f"ERR {error}")
    assert downstream.listener.protocol_errors == 1
    assert nodes[0].count("SET") == 0


@pytest.mark.parametrize("head", [b"POST / HTTP/1.1\r\n", b"Host: localhost:6379\r\n", pack("post", "/")])
async def test_who_speaks_http_is_closed_before_the_body_is_executed(
    make: Callable[..., Downstream], nodes: list[FakeNode], head: bytes
) -> None:
    downstream = make()
    client = await downstream.client()
    client.send(pack("PING") + head + b"\r\nSET b never\r\n")
    assert await client.rest() == b"+PONG\r\n"
    assert downstream.listener.protocol_errors == 1
    assert nodes[0].count("SET") == 0


@pytest.mark.parametrize(
    ("limits", "data", "error"),
    [
        ({"max_arguments": 3}, b"*4\r\n", "invalid multibulk length"),
        ({"max_argument_size": 5}, b"*1\r\n$6\r\n", "invalid bulk length"),
        ({"max_inline_size": 10}, b"PING 123456", "too big inline request"),
    ],
)
async def test_the_limits_of_a_command_hold(
    make: Callable[..., Downstream], limits: dict[str, int], data: bytes, error: str
) -> None:
    client = await make(**limits).client()
    client.send(data)
    assert await client.rest() == encode.error(f"ERR Protocol error: {error}")


async def test_limits_hold_for_every_command_not_the_first_alone(make: Callable[..., Downstream]) -> None:
    client = await make(max_argument_size=5).client()
    await client.send_slowly(pack("GET", "b"))  # takes the scanner that was there, so that there is a new one
    assert await client.reply() == b"$1\r\nb\r\n"
    client.send(pack("GET", "123456"))
    assert await client.rest() == b"-ERR Protocol error: invalid bulk length\r\n"


async def test_a_client_that_has_ended_sending_is_still_answered(client: Client, nodes: list[FakeNode]) -> None:
    nodes[0].answers["GET"] = gate = Gate()
    client.send(pack("GET", "b") + pack("GET", "c") + b"*2\r\n$3\r\nSET\r\n")
    client.end_sending()
    await nodes[0].heard("GET")
    gate.is_open.set()
    assert await client.rest() == b"$1\r\nb\r\n$1\r\nc\r\n"


async def test_a_client_that_ends_without_anything_pending_is_closed(make: Callable[..., Downstream]) -> None:
    downstream = make()
    client = await downstream.client()
    await downstream.connection()
    client.end_sending()
    assert await client.rest() == b""
    await downstream.until(lambda: not downstream.listener.connections)


@pytest.mark.late
async def test_the_replies_of_a_client_that_is_gone_are_dropped(
    make: Callable[..., Downstream], nodes: list[FakeNode]
) -> None:
    downstream = make()
    gone, other = await downstream.client(), await downstream.client()
    nodes[0].answers["GET"] = gate = Gate()
    gone.send(pack("GET", "b") * 10)
    await nodes[0].heard("GET", 10)
    gone.reset()
    await downstream.until(lambda: len(downstream.listener.connections) == 1)
    gate.is_open.set()
    assert await other.call("GET", "b") == b"$1\r\nb\r\n"
    assert downstream.clusters["main"].pools.in_flight() == 0


# -- clients that have yet to authenticate


@pytest.fixture
async def guarded(make: Callable[..., Downstream]) -> Downstream:
    """A listener whose clients need the password ``pw``."""
    downstream = make()
    downstream.context.users = Users([user_of("default", "on >pw ~* &* +@all")])
    return downstream


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"*11\r\n", b"-ERR Protocol error: unauthenticated multibulk length\r\n"),
        (b"*2\r\n$4\r\nPING\r\n$16385\r\n", b"-ERR Protocol error: unauthenticated bulk length\r\n"),
    ],
)
async def test_a_stranger_may_send_no_large_command(guarded: Downstream, data: bytes, error: bytes) -> None:
    client = await guarded.client()
    client.send(pack("GET", "a") + data)
    assert await client.rest() == b"-NOAUTH Authentication required.\r\n" + error
    friend = await guarded.client()
    friend.send(pack("AUTH", "pw"))
    assert await friend.reply() == b"+OK\r\n"
    friend.send(data)
    stranger = await guarded.client()
    assert await stranger.call("GET", "a") == b"-NOAUTH Authentication required.\r\n"
    assert guarded.listener.protocol_errors == 1


async def test_who_authenticates_may_send_large_commands_at_once(guarded: Downstream) -> None:
    client = await guarded.client()
    text = "x" * 20_000
    client.send(pack("AUTH", "pw") + pack("ECHO", text) + pack("EXISTS", *map(str, range(20)))[:50])
    assert await client.reply() == b"+OK\r\n"
    assert await client.reply() == encode.bulk(text.encode())


async def test_after_a_reset_a_client_is_a_stranger_again(guarded: Downstream) -> None:
    client = await guarded.client()
    client.send(pack("AUTH", "pw") + pack("RESET") + pack("PING"))
    assert [await client.reply() for _ in range(3)] == [
        b"+OK\r\n",
        b"+RESET\r\n",
        b"-NOAUTH Authentication required.\r\n",
    ]
    client.send(b"*11\r\n")
    assert await client.rest() == b"-ERR Protocol error: unauthenticated multibulk length\r\n"


async def test_a_stranger_in_the_middle_of_a_command_disturbs_nobody(guarded: Downstream) -> None:
    client, other = await guarded.client(), await guarded.client()
    client.send(pack("AUTH", "pw")[:10])
    other.send(pack("AUTH", "pw")[:20])
    client.send(pack("AUTH", "pw")[10:] + pack("RESET")[:5])
    assert await client.reply() == b"+OK\r\n"
    other.send(pack("AUTH", "pw")[20:])
    assert await other.reply() == b"+OK\r\n"
    client.send(pack("RESET")[5:] + pack("GET", "a"))
    assert [await client.reply(), await client.reply()] == [b"+RESET\r\n", b"-NOAUTH Authentication required.\r\n"]
    assert await other.call("GET", "a") == b"$1\r\na\r\n"
