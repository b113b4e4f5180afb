"""Replies leave in the order of commands, whatever the order in which they come."""

from __future__ import annotations

import asyncio
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.transport.connection import Connection, Traffic, Turn
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
