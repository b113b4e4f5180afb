"""A client's connection: its commands in order, its replies in order, and never more in hand than the limits say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from rproxy.acl.rules import user_of
from rproxy.acl.users import Users
from rproxy.dispatch.dispatcher import SLOW
from rproxy.dispatch.upload import KEPT
from rproxy.downstream import connection as downstream_connection
from rproxy.downstream.connection import SHARE
from rproxy.resp import encode
from rproxy.topology.snapshot import Topology
from tests.support.client import pack
from tests.support.downstream import Client, Downstream
from tests.support.fake_node import SILENCE, Command, FakeNode, Said, echo
from tests.support.upstream import topology_of

MakeDownstream = Callable[..., Downstream]
PATIENCE = 60.0
"""Seconds for what is long."""


@pytest.fixture
async def nodes(start_node: Any) -> list[FakeNode]:
    """The primaries of three shards: ``b`` belongs to the first, ``c`` to the second, ``a`` to the third."""
    return [await start_node({"GET": echo}) for _ in range(3)]


@pytest.fixture
def topology(nodes: list[FakeNode]) -> Topology:
    return topology_of(*((node.endpoint,) for node in nodes))


@pytest.fixture
async def make(make_downstream: MakeDownstream, topology: Topology) -> Callable[..., Downstream]:
    """Makes a listener before ``nodes``, with the limits that are given."""

    def make_with(**limits: int) -> Downstream:
        return make_downstream({"main": topology}, limits=limits)

    return make_with


@pytest.fixture
async def client(make: Callable[..., Downstream]) -> Client:
    """A client of a listener with the default limits."""
    return await make().client()


class Gate:
    """An answer that is held back until the gate is opened."""

    def __init__(self) -> None:
        self.is_open = asyncio.Event()

    async def __call__(self, command: Command) -> Said:
        await self.is_open.wait()
        return echo(command)


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
    assert downstream.clusters["main"].in_flight() == 0


# -- backpressure


async def answers_everything(downstream: Downstream, commands: bytes, replies: bytes, most_in_flight: int) -> None:
    """A client that sends all its commands at once gets every reply in order, and never has more in flight."""
    client = await downstream.client()
    connection = await downstream.connection()
    client.send(commands)
    position = 0
    while position < len(replies):
        piece = await client.read(min(4096, len(replies) - position), PATIENCE)
        assert piece == replies[position : position + len(piece)]
        position += len(piece)
        assert connection.replies.pending() <= most_in_flight
        assert downstream.clusters["main"].in_flight() <= most_in_flight
    assert connection.replies.pending() == 0
    assert await client.call("PING") == b"+PONG\r\n"
    assert not connection.is_throttled


async def test_a_hundred_thousand_pings_are_answered(make: Callable[..., Downstream]) -> None:
    count = 100_000
    commands = b"".join(pack("PING", number) for number in range(count))
    replies = b"".join(encode.bulk(b"%d" % number) for number in range(count))
    await answers_everything(make(), commands, replies, 1024)


@pytest.mark.parametrize(("count", "most"), [(100_000, 1024), (2_000, 7), (500, 1)])
async def test_a_long_pipeline_is_answered_with_a_bounded_number_in_flight(
    make: Callable[..., Downstream], count: int, most: int
) -> None:
    commands = b"".join(pack("GET", number) for number in range(count))
    replies = b"".join(encode.bulk(b"%d" % number) for number in range(count))
    await answers_everything(make(max_in_flight_per_client=most), commands, replies, most)


async def test_a_client_with_too_much_in_flight_is_not_read_until_some_is_answered(
    make: Callable[..., Downstream], nodes: list[FakeNode]
) -> None:
    downstream = make(max_in_flight_per_client=4)
    client = await downstream.client()
    connection = await downstream.connection()
    nodes[0].answers["GET"] = gate = Gate()
    client.send(b"".join(pack("GET", f"{{b}}{number}") for number in range(10)) + pack("PING"))
    await nodes[0].heard("GET", 4)
    await downstream.until(lambda: connection.is_throttled)
    assert connection.replies.pending() == 4
    assert nodes[0].count("GET") == 4
    gate.is_open.set()
    assert [await client.reply() for _ in range(11)] == [
        *(b"$4\r\n{b}%d\r\n" % number for number in range(10)),
        b"+PONG\r\n",
    ]
    assert not connection.is_throttled


async def test_a_client_takes_no_more_than_its_share_of_a_turn(make: Callable[..., Downstream]) -> None:
    downstream = make()
    client = await downstream.client()
    connection = await downstream.connection()
    data = pack("PING") * 1000
    taken = connection.on_bytes(data, 0, len(data))
    # Each costs what leaves the fast path, and one for its one argument; the last may exceed the share.
    assert taken == -(-SHARE // (SLOW + 1)) * len(pack("PING"))
    assert connection.is_throttled
    await downstream.until(lambda: not connection.is_throttled)
    assert await client.call("ECHO", "on") == b"+PONG\r\n"


async def test_the_keys_of_a_split_command_count_in_the_share_of_a_turn(make: Callable[..., Downstream]) -> None:
    downstream = make()
    await downstream.client()
    connection = await downstream.connection()
    command = pack("MGET", *(f"key:{number}" for number in range(SHARE // 2)))
    assert connection.on_bytes(command * 3, 0, 3 * len(command)) == 2 * len(command)
    await downstream.until(lambda: connection.session.load == 0)


async def test_the_fragments_of_split_commands_are_in_flight_too(
    make: Callable[..., Downstream], nodes: list[FakeNode]
) -> None:
    downstream = make(max_in_flight_per_client=4)
    client = await downstream.client()
    connection = await downstream.connection()
    gate = asyncio.Event()

    async def one_value(command: Command) -> Said:
        await gate.wait()
        return encode.array([encode.bulk(command[-1])])

    for node in nodes:
        node.answers["MGET"] = one_value
    client.send(pack("MGET", "a", "b", "c") * 5)
    # The first has three requests in flight and leaves room, the second fills it.
    await downstream.until(lambda: connection.is_throttled)
    assert (connection.replies.pending(), connection.session.load) == (2, 4)
    gate.set()
    assert [await client.reply() for _ in range(5)] == [b"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"] * 5
    assert connection.session.load == 0


@pytest.mark.parametrize("limit", [1000, 20_000, 200_000])
async def test_a_client_that_does_not_read_is_not_read_from(make: Callable[..., Downstream], limit: int) -> None:
    downstream = make(output_buffer_limit=limit)
    client = await downstream.client()
    connection = await downstream.connection()
    payload = "x" * 500
    count = 10_000
    client.send(pack("PING", payload) * count)
    await downstream.until(lambda: connection.is_throttled)
    left = -1
    while connection.filled != left:  # it may be throttled at first because it had its share of a turn
        left = connection.filled
        await asyncio.sleep(0.05)
    assert connection.is_throttled
    stuck_at = downstream.listener.traffic.received_bytes
    for _ in range(50):
        await asyncio.sleep(0)
        assert connection.unsent() < limit + 300_000  # what one read brings is answered
    assert downstream.listener.traffic.received_bytes <= stuck_at + 300_000 < len(pack("PING", payload)) * count
    expected = encode.bulk(payload.encode())
    for _ in range(count):
        assert await client.reply() == expected
    assert await client.call("PING") == b"+PONG\r\n"


async def test_replies_that_wait_for_one_before_them_count_too(
    make: Callable[..., Downstream], nodes: list[FakeNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downstream_connection, "FIRST_GUESS", 1)
    downstream = make(output_buffer_limit=1000)
    client = await downstream.client()
    connection = await downstream.connection()
    nodes[0].answers["GET"] = gate = Gate()
    large = b"x" * 2000
    client.send(pack("GET", "b") + pack("PING", large))
    await downstream.until(lambda: connection.replies.held)
    client.send(pack("PING"))
    await downstream.until(lambda: connection.is_throttled)
    assert connection.replies.pending() == 2
    gate.is_open.set()
    assert [await client.reply() for _ in range(3)] == [b"$1\r\nb\r\n", encode.bulk(large), b"+PONG\r\n"]


async def test_a_client_that_ends_sending_while_it_is_throttled_gets_every_reply(
    make: Callable[..., Downstream],
) -> None:
    client = await make(max_in_flight_per_client=2).client()
    client.send(pack("GET", "b") * 1000 + pack("QUIT"))
    client.end_sending()
    assert await client.rest() == b"$1\r\nb\r\n" * 1000 + b"+OK\r\n"


@pytest.mark.late
async def test_a_throttled_client_can_be_finished(make: Callable[..., Downstream], nodes: list[FakeNode]) -> None:
    downstream = make(max_in_flight_per_client=2)
    client = await downstream.client()
    connection = await downstream.connection()
    nodes[0].answers["GET"] = [SILENCE]
    client.send(pack("GET", "b") * 10)
    await downstream.until(lambda: connection.is_throttled)
    connection.finish()
    timed_out = b"-ERR upstream %b gave no answer in time: the command may have been executed\r\n"
    assert await client.rest() == timed_out % str(nodes[0].endpoint).encode() * 2


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


# -- clients that do not take their replies

BIG = 3_000_000


def big(command: Command) -> bytes:
    return b"$%d\r\n%b\r\n" % (BIG, b"v" * BIG)


async def test_a_push_message_waits_for_the_end_of_a_large_reply(
    make: Callable[..., Downstream], nodes: list[FakeNode]
) -> None:
    downstream = make(output_buffer_limit=1_000_000)
    client = await downstream.client()
    connection = await downstream.connection()
    nodes[0].answers["GET"] = big
    client.send(pack("GET", "b"))
    await downstream.until(lambda: connection.replies.begun)
    connection.push(b">1\r\n+first\r\n")
    connection.push(b">1\r\n+second\r\n")
    assert await client.read(len(big(())), PATIENCE) == big(())
    assert await client.read(25) == b">1\r\n+first\r\n>1\r\n+second\r\n"
    assert connection.replies.begun == 0


async def test_a_client_that_takes_nothing_is_closed_after_a_while(
    make: Callable[..., Downstream], nodes: list[FakeNode]
) -> None:
    downstream = make(output_buffer_limit=1_000_000, slow_client_timeout=10)
    client, other = await downstream.client(), await downstream.client()
    nodes[0].answers["GET"] = big
    client.send(pack("GET", "b") * 5)
    await downstream.until(lambda: downstream.listener.crowded)
    (connection,) = downstream.listener.crowded
    now = downstream.turn.tick()
    downstream.listener.tick(now)
    downstream.listener.tick(now + 9.9)
    assert connection in downstream.listener.connections
    downstream.listener.tick(now + 10.1)
    assert connection not in downstream.listener.connections
    assert downstream.listener.given_up == {"slow": 1, "in_the_way": 0, "cut": 0, "half": 0}
    assert await other.call("GET", "c") == b"$1\r\nc\r\n"
    await downstream.until(lambda: downstream.clusters["main"].in_flight() == 0)


async def test_a_client_that_takes_a_little_is_not_slow(make: Callable[..., Downstream], nodes: list[FakeNode]) -> None:
    downstream = make(output_buffer_limit=1_000_000, slow_client_timeout=10)
    client = await downstream.client()
    nodes[0].answers["GET"] = big
    client.send(pack("GET", "b") * 2)
    await downstream.until(lambda: downstream.listener.crowded)
    (connection,) = downstream.listener.crowded
    now = downstream.turn.tick()

    def taken() -> int:
        return connection.outbox.gone - connection.transport.backlog()

    for step in range(1, 6):
        before = taken()
        await client.read(50_000)
        await downstream.until(lambda: taken() > before)  # noqa: B023 - awaited within the turn of the loop
        downstream.listener.tick(now + 9 * step)
    assert not downstream.listener.given_up["slow"]
    for _ in range(2):
        await client.read(len(big(())) - (250_000 if _ == 0 else 0), PATIENCE)
    assert await client.call("PING") == b"+PONG\r\n"


async def test_replies_of_rproxys_own_stop_a_batch_too(make: Callable[..., Downstream]) -> None:
    downstream = make(output_buffer_limit=100_000)
    client = await downstream.client()
    connection = await downstream.connection()
    count = 200
    client.send(pack("COMMAND", "INFO", "GET", "SET", "MGET", "DEL") * count)
    await downstream.until(lambda: connection.is_throttled)
    assert connection.unsent() < 200_000
    first = await client.reply()
    for _ in range(count - 1):
        assert await client.reply() == first


# -- large commands

VALUE = b"v" * 3_000_000
TOO_LARGE_TO_KEEP = b"v" * (KEPT + 1)


async def test_a_large_command_leaves_on_a_connection_of_its_own_between_its_neighbours(
    make: Callable[..., Downstream], nodes: list[FakeNode]
) -> None:
    client = await make().client()
    client.send(pack("GET", "b") + pack("SET", "b", VALUE) + pack("GET", "b"))
    assert [await client.reply() for _ in range(3)] == [b"$1\r\nb\r\n", b"+OK\r\n", b"$1\r\nb\r\n"]
    asked = [[command[0] for command in peer.commands] for peer in nodes[0].peers]
    assert asked[1] == [b"CLIENT", b"EXISTS", b"ASKING", b"SET"]
    assert (b"SET", b"b", VALUE) in nodes[0].received


async def test_what_follows_a_large_command_is_not_read_far_ahead_of_its_reply(
    make: Callable[..., Downstream], nodes: list[FakeNode]
) -> None:
    downstream = make()
    client = await downstream.client()
    is_open = asyncio.Event()

    async def when_open(_command: Command) -> bytes:
        await is_open.wait()
        return b"+OK\r\n"

    nodes[0].answers["SET"] = when_open
    follower = b"y" * 4 * len(VALUE)
    client.send(pack("SET", "b", VALUE) + pack("SET", "b", follower))
    await nodes[0].heard("SET")
    connection = await downstream.connection()
    await downstream.until(lambda: connection.is_throttled)
    assert connection.filled < len(follower) / 2
    is_open.set()
    assert [await client.reply(), await client.reply()] == [b"+OK\r\n"] * 2
    assert nodes[0].received[-1] == (b"SET", b"b", follower)


@pytest.mark.parametrize("piece", [1, 3, 10**9])
async def test_what_follows_a_large_argument_is_handed_on_too(
    make: Callable[..., Downstream], nodes: list[FakeNode], piece: int
) -> None:
    command = ("HSET", "b", "x", VALUE, "y", "1", "z", VALUE, "end", "2")
    nodes[0].answers["HSET"] = b":4\r\n"
    client = await make().client()
    data = pack(*command) + pack("PING")
    tail = len(data) - 40
    client.send(data[:tail])
    for first in range(tail, len(data), piece):
        client.send(data[first : first + piece])
        await asyncio.sleep(0)
    assert [await client.reply(), await client.reply()] == [b":4\r\n", b"+PONG\r\n"]
    wanted = tuple(each if isinstance(each, bytes) else each.encode() for each in command)
    assert [said for said in nodes[0].received if said[0] == b"HSET"] == [wanted]


async def test_what_is_no_good_behind_a_large_argument_reaches_no_node(
    make: Callable[..., Downstream], nodes: list[FakeNode]
) -> None:
    client = await make().client()
    client.send(pack("SET", "b", VALUE, "EX", "10").replace(b"$2\r\nEX", b":2\r\nEX"))
    assert await client.rest() == b"-ERR Protocol error: expected '$', got ':'\r\n"
    assert b"SET" not in [said[0] for said in nodes[0].received]


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (b"-MOVED 3300 %b\r\n", b"-TRYAGAIN the slot moved while the command was on its way: it was not executed\r\n"),
        (b"-OOM no\r\n", b"-OOM no\r\n"),
    ],
)
async def test_an_error_after_a_large_command_is_the_clients_and_a_move_is_learned(
    make: Callable[..., Downstream], nodes: list[FakeNode], answer: bytes, reply: bytes
) -> None:
    nodes[0].answers["SET"] = answer.replace(b"%b", str(nodes[1].endpoint).encode())
    client = await make().client()
    assert await client.call("SET", "b", TOO_LARGE_TO_KEEP) == reply
    assert await client.call("GET", "b") == b"$1\r\nb\r\n"
    assert nodes[1].count("GET") == (1 if answer.startswith(b"-MOVED") else 0)


@pytest.mark.parametrize(
    ("answer", "where", "before"),
    [(b"-MOVED 3300 %b\r\n", 1, b"CLIENT"), (b"-ASK 3300 %b\r\n", 1, b"ASKING"), (b"-CLUSTERDOWN no\r\n", 0, b"SET")],
)
async def test_a_large_command_that_can_be_kept_follows_its_slot(
    make: Callable[..., Downstream], nodes: list[FakeNode], answer: bytes, where: int, before: bytes
) -> None:
    downstream = make()
    refusal = answer.replace(b"%b", str(nodes[1].endpoint).encode())
    nodes[0].answers["SET"] = refusal if where else [refusal, b"+OK\r\n"]
    client = await downstream.client()
    client.send(pack("SET", "b", VALUE, "EX", "10") + pack("PING"))
    assert [await client.reply(), await client.reply()] == [b"+OK\r\n", b"+PONG\r\n"]
    (peer,) = (peer for peer in nodes[where].peers if peer.commands and peer.commands[-1][0] == b"SET")
    assert peer.commands[-1] == (b"SET", b"b", VALUE, b"EX", b"10")
    assert peer.commands[-2][0] == before
    assert downstream.clusters["main"].pinned()[0] == 0


async def test_a_large_command_whose_node_is_lost_was_not_executed_and_the_next_one_is_understood(
    make: Callable[..., Downstream], nodes: list[FakeNode]
) -> None:
    downstream = make()
    client = await downstream.client()
    data = pack("SET", "b", VALUE)
    client.send(data[:-1_000_000])
    await downstream.until(lambda: nodes[0].count("ASKING"))
    nodes[0].peers[-1].close()
    await downstream.until(lambda: downstream.clusters["main"].pinned()[0] == 0)
    client.send(data[-1_000_000:] + pack("PING"))
    reply = await client.reply()
    assert b"was lost" in reply
    assert reply.endswith(b"before the command was whole: it was not executed\r\n")
    assert await client.reply() == b"+PONG\r\n"


async def test_a_client_that_leaves_within_a_large_command_leaves_nothing_behind(
    make: Callable[..., Downstream], nodes: list[FakeNode]
) -> None:
    downstream = make()
    client = await downstream.client()
    client.send(pack("SET", "b", VALUE)[:-1])
    await downstream.until(lambda: nodes[0].count("ASKING"))
    client.end_sending()
    assert await client.rest() == b""
    await downstream.until(lambda: downstream.clusters["main"].pinned() == (0, 0))
    assert nodes[0].count("SET") == 0
