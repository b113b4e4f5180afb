"""Which transport serves a worker's sockets: the epoll set where it was compiled, else, and for TLS, asyncio's own."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

from rproxy.transport.connection import Connection, Turn
from rproxy.transport.streams import StreamTransport
from rproxy.transport.tls_stream import Handshake, TlsStream

try:
    from rproxy.transport.epoll import EpollTurn

    HAS_EPOLL = True
except ImportError:
    HAS_EPOLL = False

ACCEPTS_PER_TURN = 256
"""Connections accepted before the worker's other sockets have their turn."""


def make_turn(loop: asyncio.AbstractEventLoop) -> Turn:
    """The turn that a worker's connections share."""
    return EpollTurn(loop) if HAS_EPOLL else Turn(loop)


def stop_turn(turn: Turn) -> None:
    """Close every socket of the turn that is still open."""
    if HAS_EPOLL and isinstance(turn, EpollTurn):
        turn.stop()


Opened = socket.socket | TlsStream
"""An open connection that nobody serves yet: a non-blocking socket, or a TLS connection."""


async def attach(turn: Turn, opened: Opened, connection: Connection) -> None:
    """Serve ``connection`` with ``opened``, which is owned from now on: it may be closed before that is done."""
    if isinstance(opened, TlsStream):
        opened.serve(connection)
    elif HAS_EPOLL and isinstance(turn, EpollTurn):
        turn.attach(opened.detach(), connection)
    else:
        await _connect(turn, opened, StreamTransport.awaited_by(connection))


async def _connect(turn: Turn, sock: socket.socket, transport: StreamTransport) -> None:
    await turn.loop.connect_accepted_socket(lambda: transport, sock)


MakeConnection = Callable[[socket.socket, object], Connection | None]
"""Makes the connection of an accepted socket and its peer's address; ``None`` to refuse it."""


def accept(
    turn: Turn, listening: socket.socket, make_connection: MakeConnection, tls: ssl.SSLContext | None = None
) -> None:
    """Accept what waits at ``listening``, which speaks ``tls`` if that is given.

    To be called when the socket is readable. Raises ``OSError`` (out of descriptors), having accepted what it could.
    """
    for _ in range(ACCEPTS_PER_TURN):
        try:
            sock, peer = listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        sock.setblocking(False)
        connection = make_connection(sock, peer)
        if connection is None:
            sock.close()
        else:
            adopt(turn, sock, connection, tls)


def adopt(turn: Turn, sock: socket.socket, connection: Connection, tls: ssl.SSLContext | None = None) -> None:
    """Serve ``connection`` with ``sock`` as soon as may be: with ``tls``, after the client's handshake."""
    if tls is not None:
        Handshake(connection, sock, tls)
    elif HAS_EPOLL and isinstance(turn, EpollTurn):
        turn.attach(sock.detach(), connection)
    else:
        task = turn.loop.create_task(_connect(turn, sock, StreamTransport.awaited_by(connection)))
        _ATTACHING.add(task)
        task.add_done_callback(_ATTACHING.discard)


_ATTACHING: set[asyncio.Task[None]] = set()
