"""A client has only so much under way, and costs only so much while it does not read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from rproxy.dispatch.dispatcher import SLOW
from rproxy.downstream import throttle
from rproxy.downstream.connection import SHARE
from rproxy.resp import encode
from tests.support.client import pack
from tests.support.downstream import Downstream
from tests.support.fake_node import SILENCE, Command, FakeNode, Gate, Said

PATIENCE = 60.0
"""Seconds for what is long."""


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
        assert downstream.clusters["main"].pools.in_flight() <= most_in_flight
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
    monkeypatch.setattr(throttle, "FIRST_GUESS", 1)
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
    await downstream.until(lambda: downstream.clusters["main"].pools.in_flight() == 0)


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
