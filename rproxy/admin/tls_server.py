"""Accepting operators who speak TLS: every handshake is bounded, and done with the certificate of its moment."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

from rproxy.admin.connection import HEAD_LIMIT
from rproxy.config.certificates import CHECK_EVERY, Certificates

HANDSHAKES_LIMIT = 64
"""Handshakes at once: one more ends the oldest."""
HANDSHAKE_WITHIN = 10.0
"""Seconds of a handshake."""
_GOODBYE_WITHIN = 1.0
_PAUSE = 0.1
"""Seconds without accepting after the system refused a connection."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class TlsServer:
    """Calls ``serve`` for every client of ``listening``, which it owns, whose handshake succeeds."""

    def __init__(self, serve: Serve, listening: socket.socket, tls: Certificates) -> None:
        self._serve = serve
        self._listening = listening
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._handshakes: dict[asyncio.Task[None], None] = {}
        listening.setblocking(False)
        listening.listen()
        self._loop.add_reader(listening, self._on_readable)
        self._timer = self._loop.call_later(CHECK_EVERY, self._on_tick)

    def close(self) -> None:
        """Accept no more; who shakes hands is dropped."""
        self._timer.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()
        for handshake in self._handshakes:
            handshake.cancel()

    def _on_tick(self) -> None:
        self._tls.check()
        self._timer = self._loop.call_later(CHECK_EVERY, self._on_tick)

    def _on_readable(self) -> None:
        try:
            sock, _ = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:  # no descriptors left
            self._loop.remove_reader(self._listening)
            self._loop.call_later(_PAUSE, self._accept_again)
            return
        sock.setblocking(False)
        if len(self._handshakes) >= HANDSHAKES_LIMIT:
            oldest = next(iter(self._handshakes))
            del self._handshakes[oldest]
            oldest.cancel()
        handshake = self._loop.create_task(self._shake_hands(sock))
        self._handshakes[handshake] = None
        handshake.add_done_callback(lambda task: self._handshakes.pop(task, None))

    def _accept_again(self) -> None:
        if self._listening.fileno() >= 0:
            self._loop.add_reader(self._listening, self._on_readable)

    async def _shake_hands(self, sock: socket.socket) -> None:
        reader = asyncio.StreamReader(limit=HEAD_LIMIT)
        with suppress(OSError):  # a scanner, a probe, a stranger
            await self._loop.connect_accepted_socket(
                lambda: asyncio.StreamReaderProtocol(reader, self._serve),
                sock,
                ssl=self._tls.context,
                ssl_handshake_timeout=HANDSHAKE_WITHIN,
                ssl_shutdown_timeout=_GOODBYE_WITHIN,
            )
