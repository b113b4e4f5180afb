"""What is particular to sockets in an epoll set; what both transports promise is tested in ``test_attach``."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from rproxy.transport.connection import Connection, Traffic

epoll = pytest.importorskip(
    "rproxy.transport.epoll", reason="the epoll transport exists in the compiled form only", exc_type=ImportError
)


@pytest.fixture
async def turn() -> AsyncIterator[Any]:
    made = epoll.EpollTurn(asyncio.get_running_loop())
    yield made
    made.stop()


async def test_a_reply_may_be_sent_past_the_outbox(serve: Any) -> None:
    connection, far = await serve()
    assert connection.transport.send_now(b"-abc-", 1, 4) == 3
    assert await far.read(3) == b"abc"
    assert connection.traffic.sent_bytes == 3


async def test_nothing_is_sent_past_what_the_socket_did_not_take(serve: Any) -> None:
    connection, far = await serve()
    big = b"x" * 20_000_000
    taken = connection.transport.send_now(big, 0, len(big))
    assert 0 < taken < len(big)
    connection.outbox.append(big, taken, len(big))
    connection.turn.mark(connection)
    await asyncio.sleep(0)
    assert connection.transport.send_now(b"too early", 0, 9) == 0
    assert await far.read(len(big)) == big
    await connection.until(lambda: connection.events == ["sent"])
    assert connection.transport.send_now(b"now", 0, 3) == 3


async def test_a_closed_transport_takes_nothing(serve: Any) -> None:
    connection, _ = await serve()
    transport = connection.transport
    transport.close()
    assert (transport.fd, transport.send_now(b"abc", 0, 3)) == (-1, 0)


async def test_what_cannot_be_served_is_lost_and_leaves_nothing(turn: Any, tmp_path: Path) -> None:
    class Lost(Connection):
        reason = ""

        def on_lost(self, reason: str) -> None:
            self.reason = reason

    connection = Lost(turn, Traffic(), False)
    file = os.open(tmp_path / "file", os.O_CREAT)  # which no epoll set takes
    turn.attach(file, connection)
    assert (connection.reason, connection.transport) == (os.strerror(errno.EPERM), None)
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(file)


async def test_a_connection_that_fails_is_closed_alone(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    broken, broken_end = await serve()
    sound, sound_end = await serve()

    def fail() -> None:
        raise RuntimeError("a bug")

    broken.on_line = fail
    with caplog.at_level(logging.ERROR, "rproxy.transport"):
        await asyncio.gather(broken_end.send(b"boom\n"), sound_end.send(b"hello\n"))
        await sound.until(lambda: sound.received)
        await broken.until(lambda: broken.events)
    assert broken.events == ["lost: internal error"]
    assert await broken_end.read(1) == b""
    assert "a bug" in caplog.text
    sound.say(b"still here")
    assert await sound_end.read(10) == b"still here"


async def test_connections_that_are_ready_together_may_close_each_other(serve: Any, turn: Any) -> None:
    for _ in range(20):
        served = [await serve() for _ in range(2)]
        for (connection, _), (other, _) in zip(served, reversed(served), strict=True):
            connection.on_line = lambda other=other: other.transport.close()
        for _, far in served:
            far.sock.send(b"hello\n")
        turn.run()
        assert sorted(connection.received for connection, _ in served) == [b"", b"hello\n"]
        assert [connection.transport is None for connection, _ in served].count(True) == 1


async def test_a_descriptor_can_be_used_again(serve: Any, turn: Any, pairs: Any, connection_type: Any) -> None:
    first, _ = await serve()
    near, far = await pairs()
    descriptor = first.transport.fd
    first.transport.close()
    with near:
        os.dup2(near.fileno(), descriptor)
    second = connection_type(turn)
    turn.attach(descriptor, second)
    with far:
        far.send(b"hello\n")
        turn.run()
    assert (first.received, second.received) == (b"", b"hello\n")


def watched() -> int:
    """How many descriptors the epoll sets of this process watch."""
    found = 0
    for file in Path("/proc/self/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += file.read_text().count("tfd:")
    return found


async def test_a_closed_socket_that_is_open_elsewhere_is_watched_no_more(
    turn: Any, pairs: Any, connection_type: Any
) -> None:
    """As when a client is handed to another worker, and gone before the first has closed its own descriptor."""
    near, far = await pairs()
    with near.dup(), far:
        before = watched()
        connection = connection_type(turn)
        turn.attach(near.detach(), connection)
        assert watched() == before + 1
        connection.transport.close()
        far.send(b"hello\n")
        assert watched() == before
        turn.run()
        assert connection.received == b""


async def test_one_run_reads_every_socket_and_writes_what_came_of_it(serve: Any, turn: Any) -> None:
    served = [await serve() for _ in range(20)]
    for connection, far in served:
        connection.on_line = lambda connection=connection: connection.say(b"heard\n")
        far.sock.send(b"hello\n")
    turn.run()
    assert [far.sock.recv(100) for _, far in served] == [b"heard\n"] * 20
    assert not turn.is_running


async def test_stopping_closes_every_socket(serve: Any, turn: Any) -> None:
    served = [await serve() for _ in range(3)]
    turn.stop()
    turn.stop()
    for connection, far in served:
        assert connection.transport is None
        assert await far.read(1) == b""
