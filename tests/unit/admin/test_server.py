import asyncio
import logging
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rproxy.admin import server as server_module
from rproxy.admin.server import admin_server

TIME_OUT = 20
"""Seconds after which a test has failed."""


class Source:
    """Says that it is ready once ``may_answer`` is set."""

    def __init__(self) -> None:
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def samples(self) -> list[Any]:
        return []

    async def clusters(self) -> list[Any]:
        return []

    async def readiness(self) -> tuple[bool, str]:
        self.is_asked.set()
        await self.may_answer.wait()
        return True, "ready"

    def config_dump(self) -> dict[str, Any]:
        return {}


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@pytest.fixture
async def port(source: Source, listening: socket.socket) -> AsyncIterator[int]:
    async with admin_server(source, listening):
        yield listening.getsockname()[1]


async def ask(port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which ``path`` was asked for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return reader, writer


async def answer(reader: asyncio.StreamReader, last: bytes) -> bytes:
    """What comes, up to the end ``last`` of a body."""
    async with asyncio.timeout(TIME_OUT):
        return await reader.readuntil(last)


async def rest(reader: asyncio.StreamReader) -> bytes:
    """What comes before the server's end, which may be abrupt."""
    async with asyncio.timeout(TIME_OUT):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def test_an_ordinary_client_is_served(port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    def fetch(path: str) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=TIME_OUT) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    assert await asyncio.to_thread(fetch, "/healthz") == (200, b"ok\n")
    assert await asyncio.to_thread(fetch, "/nothing") == (404, b"404 Not Found\n")
    assert not caplog.records  # there is no access log


async def test_a_page_that_takes_long_keeps_nobody_else_waiting(port: int, source: Source) -> None:
    slow, slow_writer = await ask(port, "/readyz")
    await source.is_asked.wait()
    other, other_writer = await ask(port, "/healthz")
    assert (await answer(other, b"ok\n")).startswith(b"HTTP/1.1 200")
    source.may_answer.set()
    assert (await answer(slow, b"ready\n")).startswith(b"HTTP/1.1 200")
    slow_writer.close()
    other_writer.close()


async def test_the_oldest_connection_makes_room_at_the_limit(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "CONNECTIONS_LIMIT", 3)
    opened = []
    for _ in range(4):
        opened.append(await ask(port, "/healthz"))
        await answer(opened[-1][0], b"ok\n")
    oldest, *others = opened
    assert await rest(oldest[0]) == b""
    for reader, writer in others:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await answer(reader, b"ok\n")).startswith(b"HTTP/1.1 200")
    for _, writer in opened:
        writer.close()


async def test_a_connection_that_ends_leaves_its_room(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "CONNECTIONS_LIMIT", 2)
    kept = await ask(port, "/healthz")
    await answer(kept[0], b"ok\n")
    for _ in range(5):
        reader, writer = await ask(port, "/healthz")
        await answer(reader, b"ok\n")
        writer.write_eof()
        assert await rest(reader) == b""
        writer.close()
    kept[1].write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await answer(kept[0], b"ok\n")).startswith(b"HTTP/1.1 200")
    kept[1].close()


async def test_closing_ends_the_listener_and_idle_connections(source: Source, listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    async with admin_server(source, listening):
        reader, writer = await ask(port, "/healthz")
        await answer(reader, b"ok\n")
    assert await rest(reader) == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


async def test_closing_lets_an_answer_under_way_leave_and_ends_with_it(
    source: Source, listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_CLOSE_WITHIN", 10 * TIME_OUT)

    async def take_and_leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        source.may_answer.set()
        answer = await rest(reader)
        writer.close()
        return answer

    async with asyncio.timeout(TIME_OUT):
        async with admin_server(source, listening):
            client = await ask(listening.getsockname()[1], "/readyz")
            await source.is_asked.wait()
            taking = asyncio.create_task(take_and_leave(*client))  # which runs once the server waits for its answers
    taken = await taking
    assert taken.startswith(b"HTTP/1.1 200")
    assert b"\r\nConnection: close\r\n" in taken
    assert taken.endswith(b"\r\n\r\nready\n")


async def test_closing_does_not_wait_for_ever(
    source: Source, listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_CLOSE_WITHIN", 0.05)
    async with asyncio.timeout(TIME_OUT):
        async with admin_server(source, listening):
            reader, writer = await ask(listening.getsockname()[1], "/readyz")
            await source.is_asked.wait()
    assert await rest(reader) == b""
    writer.close()
