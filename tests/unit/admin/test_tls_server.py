"""Operators who speak TLS are accepted, and those who do not keep nobody out."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from rproxy.admin import tls_server as module
from rproxy.admin.tls_server import TlsServer
from rproxy.config.certificates import Certificates
from rproxy.config.tls_sections import ServerTlsConfig
from tests.support.certificates import Authority
from tests.support.fake_node import PATIENCE

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Listening(socket.socket):
    """Listens on loopback; ``refusals`` times the system has no descriptor left."""

    def __init__(self) -> None:
        super().__init__()
        self.bind(("127.0.0.1", 0))
        self.refusals = 0

    def accept(self) -> tuple[socket.socket, object]:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


class Rig:
    """A server that says back each line, under a certificate of its own authority."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory)
        self.served = 0
        self._serving = 0
        self.listening = Listening()
        section = ServerTlsConfig.model_validate(self.authority.sign("server").section)
        self.server = TlsServer(self._serve, self.listening, Certificates(section, "admin"))
        self._address = self.listening.getsockname()
        self._opened: list[asyncio.StreamWriter] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.served += 1
        self._serving += 1
        with suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(line)
        writer.close()
        self._serving -= 1

    async def connect(self) -> Streams:
        """Who has connected, and shaken no hands."""
        reader, writer = await asyncio.open_connection(*self._address)
        self._opened.append(writer)
        return reader, writer

    async def shake_hands(self) -> Streams:
        """Who has shaken hands. Raises ``OSError``."""
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(*self._address, ssl=self.authority.client_context())
        self._opened.append(writer)
        return reader, writer

    async def close(self) -> None:
        if self.listening.fileno() >= 0:
            self.server.close()
        for writer in self._opened:
            writer.transport.abort()
        async with asyncio.timeout(PATIENCE):
            while self._serving:
                await asyncio.sleep(0)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    await rig.close()


async def say(streams: Streams, line: bytes) -> bytes:
    """What is said back."""
    reader, writer = streams
    writer.write(line)
    async with asyncio.timeout(PATIENCE):
        return await reader.readline()


async def rest(streams: Streams) -> bytes:
    """What comes before the end, which may be abrupt."""
    async with asyncio.timeout(PATIENCE):
        try:
            return await streams[0].read()
        except ConnectionError:
            return b""


async def test_who_shakes_hands_is_served(rig: Rig) -> None:
    assert await say(await rig.shake_hands(), b"hello\n") == b"hello\n"
    assert rig.served == 1


async def test_a_stranger_is_not_served_and_harms_nobody(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    stranger = await rig.connect()
    stranger[1].write(b"GET / HTTP/1.1\r\n\r\n")
    assert b"hello" not in await rest(stranger)
    assert rig.served == 0
    assert await say(await rig.shake_hands(), b"hello\n") == b"hello\n"
    assert caplog.records == []


async def test_who_is_silent_keeps_nobody_waiting(rig: Rig) -> None:
    await rig.connect()
    assert await say(await rig.shake_hands(), b"hello\n") == b"hello\n"


async def test_a_handshake_has_its_limit(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANDSHAKE_WITHIN", 0.01)
    assert await rest(await rig.connect()) == b""
    assert rig.served == 0


async def test_one_handshake_too_many_ends_the_oldest_alone(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANDSHAKES_LIMIT", 2)
    oldest, other = await rig.connect(), await rig.connect()
    served = await rig.shake_hands()
    assert await rest(oldest) == b""
    assert await say(served, b"hello\n") == b"hello\n"
    assert not other[0].at_eof()


async def test_handshakes_that_are_over_leave_their_room(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANDSHAKES_LIMIT", 2)
    silent = await rig.connect()
    for _ in range(4):
        assert await say(await rig.shake_hands(), b"hello\n") == b"hello\n"
    assert not silent[0].at_eof()


async def test_a_handshake_is_done_with_the_certificate_of_its_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECK_EVERY", 0.0)
    rig = Rig(tmp_path)
    first = await rig.shake_hands()
    rig.authority.sign("server")
    before = now = first[1].get_extra_info("peercert")["serialNumber"]
    async with asyncio.timeout(PATIENCE):
        while now == before:
            _, writer = await rig.shake_hands()
            now = writer.get_extra_info("peercert")["serialNumber"]
    assert await say(first, b"hello\n") == b"hello\n"
    await rig.close()


async def test_it_accepts_again_after_the_system_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    rig.listening.refusals = 2
    assert await say(await rig.shake_hands(), b"hello\n") == b"hello\n"
    assert rig.listening.refusals == 0


async def test_closing_refuses_new_clients_and_drops_who_shakes_hands(rig: Rig) -> None:
    served, half = await rig.shake_hands(), await rig.connect()
    await rig.shake_hands()  # the one before has been accepted then
    rig.server.close()
    assert await rest(half) == b""
    assert await say(served, b"hello\n") == b"hello\n"
    with pytest.raises(ConnectionRefusedError):
        await rig.connect()
    assert rig.listening.fileno() == -1


async def test_a_closed_server_looks_after_no_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "rproxy.tls")
    monkeypatch.setattr(module, "CHECK_EVERY", 0.0)
    rig = Rig(tmp_path)
    await rig.close()
    rig.authority.sign("server")
    for _ in range(10):
        await asyncio.sleep(0)
    assert caplog.records == []
