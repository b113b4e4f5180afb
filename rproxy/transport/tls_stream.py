"""TLS connections, on asyncio's transports in either form: opening one to a node, and taking one from a client."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import cast

from rproxy.transport.connection import Connection, Transport
from rproxy.transport.streams import StreamTransport, reason_of

HANDSHAKE_WITHIN = 10.0
"""Seconds that a client has for its handshake."""
GOODBYE_WITHIN = 5.0
"""Seconds that the end of a connection may take: what was written has to leave, and the peer to agree."""


class TlsStream(asyncio.Protocol):
    """An open TLS connection to a node that can be talked to until a connection is served with it."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._is_over = False
        self._loss: Exception | None = None
        self._happened = asyncio.Event()

    @classmethod
    async def open(cls, sock: socket.socket, context: ssl.SSLContext, server_name: str) -> TlsStream:
        """Shake hands over the open socket, which is owned from now on. Raises ``OSError``."""
        loop = asyncio.get_running_loop()
        _, stream = await loop.create_connection(
            cls, sock=sock, ssl=context, server_hostname=server_name, ssl_shutdown_timeout=GOODBYE_WITHIN
        )
        return stream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is done."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """The node said something."""
        self._received += data
        self._happened.set()

    def eof_received(self) -> None:
        """The node will say no more, and with that TLS ends."""
        self._is_over = True
        self._happened.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._is_over = True
        self._loss = exc
        self._happened.set()

    def send(self, data: bytes) -> None:
        """Say a little."""
        if self._transport is not None:
            self._transport.write(data)

    async def receive(self) -> bytes:
        """What the node says next; nothing at its end. Raises ``OSError``."""
        while not self._received and not self._is_over:
            self._happened.clear()
            await self._happened.wait()
        if not self._received and isinstance(self._loss, OSError):
            raise self._loss
        data = bytes(self._received)
        self._received.clear()
        return data

    def close(self) -> None:
        """Close it at once."""
        if self._transport is not None:
            self._transport.abort()

    def serve(self, connection: Connection) -> None:
        """Serve ``connection`` with it from now on."""
        if self._transport is None:
            raise RuntimeError("this connection was not opened")
        stream = StreamTransport(connection)
        self._transport.set_protocol(stream)
        stream.connection_made(self._transport)
        if self._received:
            stream.data_received(bytes(self._received))
        if self._is_over:
            asyncio.get_running_loop().call_soon(stream.connection_lost, self._loss)


class Handshake(Transport):
    """The transport of a client while it shakes hands: nothing can be sent, and to close it is to give it up."""

    def __init__(self, connection: Connection, sock: socket.socket, context: ssl.SSLContext) -> None:
        self._connection: Connection | None = connection
        self._task = connection.turn.loop.create_task(self._run(connection, sock, context))
        connection.transport = self

    async def _run(self, connection: Connection, sock: socket.socket, context: ssl.SSLContext) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: StreamTransport(connection),
                sock,
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE_WITHIN,
                ssl_shutdown_timeout=GOODBYE_WITHIN,
            )
        except OSError as error:
            self._fail(reason_of(error))

    def _fail(self, reason: str) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.transport = None
            connection.traffic.failed += 1
            connection.on_lost(reason)

    def flush(self, connection: Connection) -> None:
        """Send nothing; who waits for what it has sent has nothing to wait for."""
        if connection.awaits_sent:
            connection.on_sent()

    def close(self) -> None:
        """Give it up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.transport = None
            self._task.cancel()
