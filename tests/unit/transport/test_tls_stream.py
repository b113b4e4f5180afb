"""TLS handshakes of clients: those that succeed, fail, never end, and are given up; and the end of a TLS stream."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rproxy.transport import tls_stream
from rproxy.transport.attach import adopt, make_turn, stop_turn
from rproxy.transport.connection import Turn
from tests.support.certificates import Authority
from tests.support.fake_node import PATIENCE


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def server_side(authority: Authority) -> ssl.SSLContext:
    return authority.server_context(authority.sign("server"))


@pytest.fixture
async def own_turn() -> Any:
    made = make_turn(asyncio.get_running_loop())
    yield made
    stop_turn(made)


@pytest.fixture
async def both(own_turn: Turn, pairs: Any, connection_type: Any, server_side: ssl.SSLContext) -> Any:
    """A connection whose handshake has begun, and its far end, which has said nothing yet."""
    near, far = await pairs()
    connection = connection_type(own_turn)
    adopt(own_turn, near, connection, server_side)
    yield connection, far
    if connection.transport is not None:
        connection.transport.close()
    far.close()


async def secured(far: socket.socket, authority: Authority) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(PATIENCE):
        return await asyncio.open_connection(sock=far, ssl=authority.client_context(), server_hostname="127.0.0.1")


async def test_bytes_flow_both_ways_after_the_handshake(both: Any, authority: Authority) -> None:
    connection, far = both
    reader, writer = await secured(far, authority)
    writer.write(b"hello\nhalf")
    await connection.until(lambda: connection.received == b"hello\n")
    assert bytes(connection.inbox) == b"half"
    connection.say(b"x" * 1_000_000)
    async with asyncio.timeout(PATIENCE):
        assert await reader.readexactly(1_000_000) == b"x" * 1_000_000
    assert connection.traffic.failed == 0
    writer.close()


async def test_the_end_of_one_side_is_the_end_of_both(both: Any, authority: Authority) -> None:
    connection, far = both
    _, writer = await secured(far, authority)
    writer.close()
    await connection.until(lambda: any(event.startswith("lost") for event in connection.events))
    assert connection.transport is None


async def test_what_is_no_tls_is_a_failed_handshake(both: Any) -> None:
    connection, far = both
    await asyncio.get_running_loop().sock_sendall(far, b"PING\r\n")
    await connection.until(lambda: connection.events)
    assert connection.events[0].startswith("lost: TLS: ")
    assert (connection.transport, connection.traffic.failed) == (None, 1)


async def test_a_handshake_that_never_ends_is_cut_off(
    own_turn: Turn, pairs: Any, connection_type: Any, server_side: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_stream, "HANDSHAKE_WITHIN", 0.05)
    near, far = await pairs()
    connection = connection_type(own_turn)
    with far:
        adopt(own_turn, near, connection, server_side)
        await connection.until(lambda: connection.events)
        assert connection.traffic.failed == 1
        async with asyncio.timeout(PATIENCE):
            assert await own_turn.loop.sock_recv(far, 100) == b""


async def test_a_handshake_is_given_up_when_its_connection_is_closed(both: Any) -> None:
    connection, far = both
    await asyncio.sleep(0)  # it has begun
    connection.transport.close()
    assert connection.transport is None
    async with asyncio.timeout(PATIENCE):
        assert await asyncio.get_running_loop().sock_recv(far, 100) == b""
    assert (connection.events, connection.traffic.failed) == ([], 0)


async def test_who_waits_for_what_is_sent_waits_for_no_handshake(both: Any) -> None:
    connection, _ = both
    connection.awaits_sent = True
    connection.turn.mark(connection)
    await connection.until(lambda: "sent" in connection.events)


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No client that fails makes a line in the log, nor an exception that nobody takes."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelname in {"ERROR", "WARNING"}] == []
