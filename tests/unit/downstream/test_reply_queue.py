"""Replies leave in the order of commands, whatever the order in which they come."""

from __future__ import annotations

import asyncio
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.transport.connection import Connection, Traffic, Turn
from rproxy.upstream.sink import LATER, RELAYED, WHOLE
from tests.support.forms import forms

FORMS = forms("downstream.reply_queue")
each_form = pytest.mark.parametrize("module", FORMS, ids=lambda form: form.__name__)


def make_connection() -> Connection:
    loop = asyncio.new_event_loop()
    turn = Turn(loop)
    loop.close()
    turn.is_running = True
    return Connection(turn, Traffic(), False)


def deliver(queue: object, token: int, reply: bytes) -> None:
    queue.deliver(token, b"<" + reply + b">", 1, 1 + len(reply))  # type: ignore[attr-defined]


@given(st.data())
def test_any_order_of_replies_leaves_in_the_order_of_places(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 200), max_size=80))
    order = data.draw(st.permutations(range(len(sizes))))
    replies = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    for module in FORMS:
        connection = make_connection()
        queue = module.ReplyQueue(connection)
        assert [queue.open() for _ in sizes] == list(range(len(sizes)))
        for token in order:
            deliver(queue, token, replies[token])
            assert queue.held + connection.outbox.size() <= sum(sizes)
        assert connection.outbox.take() == b"".join(replies)
        assert (queue.pending(), queue.held) == (0, 0)


@each_form
def test_a_place_is_filled_exactly_once(module: ModuleType) -> None:
    queue = module.ReplyQueue(make_connection())
    for _ in range(3):
        queue.open()
    deliver(queue, 1, b"a")
    for token in (1, 3, 99):
        with pytest.raises(ValueError, match="not waiting"):
            deliver(queue, token, b"b")
    deliver(queue, 0, b"a")
    with pytest.raises(ValueError, match="not waiting"):
        deliver(queue, 0, b"b")


@each_form
def test_nothing_is_kept_for_a_client_that_is_gone(module: ModuleType) -> None:
    connection = make_connection()
    queue = module.ReplyQueue(connection)
    queue.open()
    queue.open()
    deliver(queue, 1, b"x" * 1000)
    assert queue.held == 1000
    queue.close()
    deliver(queue, 0, b"y")
    assert (queue.held, connection.outbox.size()) == (0, 0)


@each_form
def test_a_watched_queue_tells_its_connection(module: ModuleType) -> None:
    class Watching(Connection):
        told = 0

        def on_delivered(self) -> None:
            self.told += 1

    plain = make_connection()
    connection = Watching(plain.turn, Traffic(), False)
    queue = module.ReplyQueue(connection)
    queue.open()
    queue.open()
    deliver(queue, 1, b"a")
    queue.is_watched = True
    deliver(queue, 0, b"a")
    assert connection.told == 1


# -- replies that are too much for the client


class Crowded(Connection):
    """Counts how often it is told that it is full, and who is to go on."""

    def __init__(self, turn: Turn) -> None:
        Connection.__init__(self, turn, Traffic(), False)
        self.told = 0
        self.given_up: list[str] = []

    def on_full(self) -> None:
        self.told += 1

    def give_up(self, reason: str) -> None:
        self.given_up.append(reason)


class Feeder(Connection):
    """An upstream connection that waits."""

    def __init__(self, turn: Turn) -> None:
        Connection.__init__(self, turn, Traffic(), True)
        self.went_on = 0

    def go_on(self) -> None:
        self.went_on += 1


async def crowded(module: ModuleType, places: int, most: int) -> tuple[Crowded, object, Feeder]:
    turn = Turn(asyncio.get_running_loop())
    turn.is_running = True
    connection = Crowded(turn)
    queue = module.ReplyQueue(connection, most)
    for _ in range(places):
        queue.open()
    return connection, queue, Feeder(turn)


async def woken(queue: object, feeder: Feeder) -> int:
    """How often the feeder went on."""
    queue.wake()  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    return feeder.went_on


@each_form
async def test_a_full_queue_says_so_and_has_its_feeder_go_on_when_there_is_room(module: ModuleType) -> None:
    connection, queue, feeder = await crowded(module, 3, 100)
    assert queue.deliver(0, b"x" * 100, 0, 100) is None
    assert queue.deliver(1, b"x", 0, 1) is queue
    queue.await_room(feeder)
    assert connection.told == 2
    assert await woken(queue, feeder) == 0
    connection.outbox.take()
    assert await woken(queue, feeder) == 1
    assert queue.feeders is None


@each_form
async def test_replies_that_are_kept_do_not_hold_up_who_brings_the_oldest(module: ModuleType) -> None:
    connection, queue, feeder = await crowded(module, 4, 100)
    assert queue.deliver(2, b"x" * 200, 0, 200) is queue
    queue.await_room(feeder)
    assert queue.deliver(0, b"y" * 10, 0, 10) is None
    assert connection.outbox.take() == b"y" * 10
    assert await woken(queue, feeder) == 0
    assert queue.deliver(1, b"z", 0, 1) is queue  # now the large one waits for the client
    connection.outbox.take()
    assert await woken(queue, feeder) == 1


@each_form
async def test_only_the_oldest_reply_is_relayed_and_others_are_collected_as_far_as_there_is_room(
    module: ModuleType,
) -> None:
    _, queue, _ = await crowded(module, 4, 100)
    assert queue.takes(0, 1000) == RELAYED
    assert (queue.takes(1, 60), queue.reserved) == (WHOLE, 60)
    assert queue.takes(2, 60) == LATER
    assert (queue.takes(1, 70), queue.reserved) == (WHOLE, 70)
    assert queue.takes(2, 30) == WHOLE
    queue.deliver(2, b"x" * 30, 0, 30)
    assert queue.takes(3, 1) == LATER
    assert (queue.reserved, queue.held) == (70, 30)


@each_form
async def test_a_relayed_reply_leaves_piece_by_piece_before_those_behind_it(module: ModuleType) -> None:
    connection, queue, feeder = await crowded(module, 2, 100)
    deliver(queue, 1, b"second")
    assert queue.relay(0, b"<first>", 1, 4, False) is None
    assert (queue.begun, queue.pending(), queue.answered()) == (3, 2, 0)
    assert queue.relay(0, b"!" * 99, 0, 99, False) is queue
    queue.await_room(feeder)
    assert queue.relay(0, b"st", 0, 2, True) is queue
    assert (queue.begun, queue.pending(), queue.held) == (0, 0, 0)
    assert connection.outbox.take() == b"fir" + b"!" * 99 + b"st" + b"second"
    assert await woken(queue, feeder) == 1


@each_form
async def test_whose_client_is_gone_takes_everything(module: ModuleType) -> None:
    connection, queue, feeder = await crowded(module, 2, 100)
    queue.takes(1, 50)
    queue.deliver(0, b"x" * 200, 0, 200)
    queue.await_room(feeder)
    queue.close()
    assert await woken(queue, feeder) == 1
    assert queue.takes(1, 1 << 40) == RELAYED
    assert queue.relay(1, b"abc", 0, 3, True) is None
    assert queue.reserved == 0
    queue.give_up("slow")
    assert connection.given_up == []
