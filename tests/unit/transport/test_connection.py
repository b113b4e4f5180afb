"""Turns and connections by themselves: who is flushed when, and what is kept of bytes that were not consumed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.support.forms import forms

each_form = pytest.mark.parametrize("module", forms("transport.connection"), ids=lambda form: form.__name__)


def make(module: ModuleType, turn: Any, name: str, log: list[str], is_upstream: bool = False) -> Any:
    """A connection whose transport writes its flushes to ``log``, and does ``then`` in them."""

    class Logged(module.Transport):  # type: ignore[name-defined,misc]
        then: Callable[[], None] = staticmethod(lambda: None)

        def flush(self, connection: Any) -> None:
            log.append(name)
            self.then()

    connection = module.Connection(turn, module.Traffic(), is_upstream)
    connection.transport = Logged()
    return connection


@each_form
async def test_each_connection_is_flushed_once_upstream_before_downstream(module: ModuleType) -> None:
    turn, log = module.Turn(asyncio.get_running_loop()), []
    client, other = make(module, turn, "client", log), make(module, turn, "other client", log)
    node = make(module, turn, "node", log, is_upstream=True)
    for connection in (client, node, other, node, client):
        turn.mark(connection)
    assert (log, client.is_dirty) == ([], True)
    await asyncio.sleep(0)
    assert log == ["node", "client", "other client"]
    assert not any(connection.is_dirty for connection in (client, other, node))
    await asyncio.sleep(0)
    assert len(log) == 3
    turn.mark(node)
    await asyncio.sleep(0)
    assert log[3:] == ["node"]


@each_form
async def test_what_fails_upstream_is_answered_in_the_same_turn(module: ModuleType) -> None:
    turn, log = module.Turn(asyncio.get_running_loop()), []
    client, node = make(module, turn, "client", log), make(module, turn, "node", log, is_upstream=True)
    other = make(module, turn, "other node", log, is_upstream=True)
    node.transport.then = lambda: (turn.mark(client), turn.mark(other))
    turn.mark(node)
    turn.finish()
    assert log == ["node", "other node", "client"]


@each_form
async def test_requests_that_come_up_while_replies_are_sent_leave_in_the_next_turn(module: ModuleType) -> None:
    turn, log = module.Turn(asyncio.get_running_loop()), []
    client, node = make(module, turn, "client", log), make(module, turn, "node", log, is_upstream=True)
    client.transport.then = lambda: turn.mark(node)
    turn.mark(client)
    turn.finish()
    assert log == ["client"]
    assert turn.is_running
    await asyncio.sleep(0)
    assert log == ["client", "node"]


@each_form
async def test_a_connection_without_a_socket_waits_for_one(module: ModuleType) -> None:
    turn, log = module.Turn(asyncio.get_running_loop()), []
    node = make(module, turn, "node", log, is_upstream=True)
    transport, node.transport = node.transport, None
    turn.mark(node)
    turn.finish()
    assert (log, node.is_dirty) == ([], False)
    node.transport = transport
    turn.mark(node)
    turn.finish()
    assert log == ["node"]


@each_form
async def test_the_clock_is_read_by_a_tick(module: ModuleType) -> None:
    turn = module.Turn(asyncio.get_running_loop())
    turn.now = 0.0
    assert turn.tick() == turn.now > 0.0


@each_form
async def test_bytes_that_were_not_consumed_are_kept_until_they_are(module: ModuleType) -> None:
    seen = []

    class Pairs(module.Connection):  # type: ignore[name-defined,misc]
        """Consumes two bytes at a time."""

        def on_bytes(self, chunk: Any, start: int, end: int) -> int:
            seen.append(bytes(chunk[start:end]))
            return end - (end - start) % 2

    turn = module.Turn(asyncio.get_running_loop())
    connection = Pairs(turn, module.Traffic(), False)
    connection.transport = module.Transport()
    connection.receive(b"abcde---", 5)
    assert (bytes(connection.inbox), connection.filled) == (b"e", 1)
    connection.inbox += b"fg"
    connection.receive(connection.inbox, 3)
    assert (bytes(connection.inbox), connection.filled) == (b"g", 1)
    connection.inbox += b"h"
    connection.receive(connection.inbox, 2)
    assert (connection.inbox, connection.filled) == (None, 0)
    assert seen == [b"abcde", b"efg", b"gh"]


@each_form
async def test_nothing_is_kept_of_a_connection_that_closed_meanwhile(module: ModuleType) -> None:
    class Closing(module.Connection):  # type: ignore[name-defined,misc]
        def on_bytes(self, chunk: Any, start: int, end: int) -> int:
            self.transport = None
            return start

    connection = Closing(module.Turn(asyncio.get_running_loop()), module.Traffic(), False)
    connection.transport = module.Transport()
    connection.receive(b"abc", 3)
    assert connection.inbox is None


@each_form
async def test_only_an_upstream_connection_keeps_what_was_sent(module: ModuleType) -> None:
    turn = module.Turn(asyncio.get_running_loop())
    for is_upstream in (True, False):
        connection = module.Connection(turn, module.Traffic(), is_upstream)
        connection.outbox.write(b"abc")
        connection.outbox.take()
        assert connection.outbox.size() == (3 if is_upstream else 0)


@each_form
async def test_one_that_fails_when_it_is_flushed_is_lost_alone(
    module: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    turn, log = module.Turn(asyncio.get_running_loop()), []
    broken, sound = make(module, turn, "broken", log), make(module, turn, "sound", log)

    def fail() -> None:
        raise RuntimeError("a bug")

    broken.transport.then = fail
    turn.mark(broken)
    turn.mark(sound)
    await asyncio.sleep(0)
    assert (log, turn.is_running, sound.is_dirty) == (["broken", "sound"], False, False)
    assert "unforeseen" in caplog.text
    turn.mark(sound)
    await asyncio.sleep(0)
    assert log[2:] == ["sound"]
