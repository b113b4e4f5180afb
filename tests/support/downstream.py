"""A listener under test, and clients of it that see raw bytes, in one loop with the scripted nodes behind it."""

from __future__ import annotations

import asyncio
import itertools
import socket
from typing import Any

from rproxy.config.models import ListenerConfig
from rproxy.downstream.connection import DownstreamConnection
from rproxy.downstream.listener import Listener
from tests.support.client import Argument, pack
from tests.support.dispatch import Dispatch
from tests.support.fake_node import PATIENCE

SMALL = 4096
"""Bytes of a socket buffer for who wants to see what happens when it is full."""


class Client:
    """A client's connection. Every wait raises ``TimeoutError`` after ``PATIENCE``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.address = "{}:{}".format(*writer.get_extra_info("sockname"))

    def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        self._writer.write(data)

    async def send_slowly(self, data: bytes) -> None:
        """Write byte by byte, each in a segment of its own."""
        for position in range(len(data)):
            self._writer.write(data[position : position + 1])
            await asyncio.sleep(0)

    async def call(self, *arguments: Argument) -> bytes:
        """The raw reply to one command."""
        self.send(pack(*arguments))
        return await self.reply()

    async def reply(self) -> bytes:
        """The next reply. Raises ``asyncio.IncompleteReadError`` where the connection closes within or before it."""
        async with asyncio.timeout(PATIENCE):
            return await self._reply()

    async def _reply(self) -> bytes:
        line = await self._reader.readuntil(b"\r\n")
        if line[:1] not in b"$*%" or line == b"$-1\r\n":
            return line
        count = int(line[1:])
        if line[:1] == b"$":
            return line + await self._reader.readexactly(count + 2)
        elements = [await self._reply() for _ in range(count * (2 if line[:1] == b"%" else 1))]
        return line + b"".join(elements)

    async def read(self, size: int, patience: float = PATIENCE) -> bytes:
        """So many bytes."""
        async with asyncio.timeout(patience):
            return await self._reader.readexactly(size)

    async def rest(self) -> bytes:
        """Everything until the connection is closed."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.read()

    def end_sending(self) -> None:
        """Say that nothing more will come, and go on reading."""
        self._writer.write_eof()

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()

    def reset(self) -> None:
        """Drop the connection without a goodbye."""
        self._writer.transport.abort()


class Downstream(Dispatch):
    """A dispatcher with a listener before it; ``limits`` are keys of the listener's configuration."""

    def __init__(self, *arguments: Any, limits: dict[str, Any] | None = None, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        settings = {
            "name": "redis",
            "address": "127.0.0.1:6380",
            "redis_proxy": {"prefix_routes": {"catch_all_route": {"cluster": "main"}}},
            "limits": limits or {},
        }
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self._where: tuple[str, int] = self._socket.getsockname()
        self.address = "{}:{}".format(*self._where)
        ids = itertools.count(1)
        self.listener = Listener(
            ListenerConfig.model_validate(settings), self._socket, self.dispatcher, self.turn, ids.__next__
        )
        self.listener.open()
        self._clients: list[Client] = []

    async def client(self) -> Client:
        """A new client, whose socket takes little before it is read. Raises ``OSError``."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, self._where)
        except OSError:
            sock.close()
            raise
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._clients.append(Client(*await asyncio.open_connection(sock=sock, limit=SMALL)))
        return self._clients[-1]

    async def connection(self) -> DownstreamConnection:
        """The listener's side of the only client, once it is there."""
        await self.until(lambda: self.listener.connections)
        (connection,) = self.listener.connections
        return connection

    async def close(self) -> None:
        """Close everything; no client may stay behind."""
        for client in self._clients:
            client.close()
        self.listener.close()
        assert not self.listener.connections
        assert self.listener.traffic.active == 0
        self._socket.close()
        await super().close()
