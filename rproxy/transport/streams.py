"""Sockets on asyncio's own transports: the portable way, used by the pure form, and by either form for TLS."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import cast

from rproxy.transport.connection import Connection, Transport

_CLOSED = "connection closed"


def reason_of(error: Exception | None) -> str:
    """Why a connection failed, in a few words of the system's or OpenSSL's."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'protocol error').lower().replace('_', ' ')}"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error) or _CLOSED
    return _CLOSED


class StreamTransport(Transport, asyncio.Protocol):
    """An asyncio protocol that hands what it reads to a connection, and sends the connection's outbox."""

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection
        self._stream: asyncio.Transport | None = None
        self._is_tls = False
        self._takes_more = True
        self._turn = connection.turn

    @classmethod
    def awaited_by(cls, connection: Connection) -> StreamTransport:
        """The transport of ``connection`` before asyncio has its socket, which is closed at once if it is by then."""
        transport = connection.transport = cls(connection)
        return transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve the connection from now on."""
        self._stream = cast(asyncio.Transport, transport)
        if self._connection is None:
            self._stream.abort()
            return
        self._is_tls = transport.get_extra_info("ssl_object") is not None
        self._stream.set_write_buffer_limits(high=0)  # whatever the socket did not take at once is told when it is gone
        self._connection.transport = self
        self._turn.mark(self._connection)

    def data_received(self, data: bytes) -> None:
        """Bytes came from the peer."""
        connection = self._connection
        if connection is None:
            return
        self._turn.tick()
        connection.traffic.received_bytes += len(data)
        if connection.inbox is None:
            connection.receive(data, len(data))
        else:
            connection.inbox += data
            connection.receive(connection.inbox, len(connection.inbox))

    def eof_received(self) -> bool:
        """The peer will send no more; the other direction stays open until the connection closes it, but not in TLS."""
        self._takes_more = not self._is_tls
        if self._connection is not None:
            self._connection.on_eof()
        return not self._is_tls

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.transport = None
            connection.on_lost(reason_of(exc))

    def resume_writing(self) -> None:
        """The socket takes bytes again."""
        connection = self._connection
        if connection is not None and self._hand_over(connection):
            connection.on_sent()

    def flush(self, connection: Connection) -> None:
        """Hand the outbox to asyncio."""
        if self._hand_over(connection) and connection.awaits_sent:
            connection.on_sent()

    def _hand_over(self, connection: Connection) -> bool:
        """Write piece by piece as long as the socket takes it, so that little waits twice; whether it took all."""
        outbox, stream = connection.outbox, self._stream
        if stream is None:
            return False
        while not stream.get_write_buffer_size():
            if not outbox.unsent():
                return True
            data = outbox.take_piece()
            connection.traffic.sent_bytes += len(data)
            if self._takes_more:
                stream.write(data)
        return False

    def backlog(self) -> int:
        """Bytes that wait in asyncio's buffer."""
        return self._stream.get_write_buffer_size() if self._stream is not None else 0

    def pause_reading(self) -> None:
        """Read no more until ``resume_reading``."""
        if self._stream is not None and self._stream.is_reading():
            self._stream.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._stream is not None and not self._stream.is_reading():
            self._stream.resume_reading()

    def close(self) -> None:
        """Close once everything written has been sent; the connection hears no more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.transport = None
        if self._stream is not None:
            self._stream.close()
