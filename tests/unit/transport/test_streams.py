"""What is particular to sockets on asyncio's transports; what both transports promise is tested in ``test_attach``."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rproxy.transport.connection import Turn
from rproxy.transport.streams import StreamTransport
from tests.support.fake_node import PATIENCE


@pytest.fixture
async def turn() -> Turn:
    return Turn(asyncio.get_running_loop())


async def test_nothing_is_sent_past_the_outbox(serve: Any) -> None:
    connection, _ = await serve()
    assert connection.transport.send_now(b"abc", 0, 3) == 0


async def test_a_socket_that_comes_after_the_close_is_closed(pairs: Any, turn: Turn, serve: Any) -> None:
    troubles: list[object] = []
    turn.loop.set_exception_handler(lambda _, context: troubles.append(context))
    connection, _ = await serve()
    near, far = await pairs()
    transport = StreamTransport(connection)
    transport.close()
    await turn.loop.connect_accepted_socket(lambda: transport, near)
    with far:
        assert await asyncio.wait_for(turn.loop.sock_recv(far, 1), PATIENCE) == b""
    assert (connection.events, troubles) == ([], [])


async def test_the_backlog_is_what_asyncio_holds(serve: Any) -> None:
    connection, far = await serve()
    assert connection.transport.backlog() == 0
    connection.say(b"x" * 20_000_000)
    await asyncio.sleep(0)
    assert 0 < connection.transport.backlog() <= 262_144
    assert 0 < connection.outbox.unsent() < 20_000_000
    assert len(await far.read(20_000_000)) == 20_000_000
    await connection.until(lambda: connection.events)
    assert connection.events == ["sent"]
    assert connection.transport.backlog() + connection.outbox.unsent() == 0
