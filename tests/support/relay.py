"""A TCP relay on loopback that does to a connection what bad networks do.

What it does is set at any time, for the connections that are open and those to come. A fault concerns both directions
unless it says otherwise.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.support.background import Background

_CHUNK = 65536
_PIECES = 1024
"""Pieces on their way in one direction of a connection."""
RETRANSMISSION = 0.2
"""Seconds after which TCP sends a lost packet again, at least (Linux)."""
_NONSENSE = b"$x\r\nHTTP/1.1 400 Bad Request\r\n\r\n"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass
class Faults:
    """What is wrong with the network."""

    delay: float = 0.0
    """Seconds by which every piece is late; one that comes meanwhile is not later for it."""
    reply_delay: float = 0.0
    """Seconds by which every piece from the server is late besides."""
    loss: float = 0.0
    """The share of pieces that come as late as a packet that was lost and sent again, with all behind them."""
    is_black_hole: bool = False
    """Bytes are taken and never arrive; a new connection is accepted and no more."""
    talks_nonsense: bool = False
    """A new connection is told what is no RESP, and closed."""
    cut_after: int | None = None
    """Bytes from the server after which both sides are closed, in the middle of whatever it is."""
    bytes_per_second: float | None = None
    """The most that flows in each direction of each connection."""


class Relay(Background):
    """Listens at ``port`` and hands everything to ``target``, a port on loopback, and back."""

    def __init__(self, target: int) -> None:
        super().__init__()
        self.target = target
        self.port = 0
        self.faults = Faults()
        self.accepted = 0
        self._draw = random.Random(0)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def on_start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def on_stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()

    def stop_listening(self) -> None:
        """Free the port; connections stay."""
        self.run(self._stop_listening())

    def listen_again(self) -> None:
        """Listen at the same port as before."""
        self.run(self.on_start())

    def move(self) -> None:
        """Listen at another port; connections stay."""
        self.stop_listening()
        self.port = 0
        self.run(self.on_start())

    def reset(self) -> None:
        """Reset every connection (RST), whatever is on its way."""
        self.run(self._reset())

    def half_open(self) -> None:
        """Let the server's side of every connection end unseen: the other side hears nothing more, and no close."""
        self.run(self._half_open())

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _reset(self) -> None:
        for writer in list(self._writers):
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()

    async def _half_open(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            await self._relay(reader, writer)
            writer.close()
            self._writers.discard(writer)
        except (OSError, asyncio.CancelledError):
            pass  # reset, left half-open, or stopped
        finally:
            self._tasks.discard(task)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self.faults.is_black_hole:
            await asyncio.sleep(0.01)
        if self.faults.talks_nonsense:
            await reader.read(_CHUNK)
            writer.write(_NONSENSE)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            return  # nobody is there: a connection to the system itself would have been refused
        self._writers.add(far_writer)
        up = asyncio.create_task(self._pump(reader, far_writer, False))
        down = asyncio.create_task(self._pump(far_reader, writer, True))
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in (up, down):
                pump.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            self._writers.discard(far_writer)
            far_writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_answer: bool) -> None:
        """Take pieces as they come, and hand each on when it is due."""
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_PIECES)
        delivering = asyncio.create_task(self._deliver(pieces, writer, is_answer))
        try:
            while data := await reader.read(_CHUNK):
                await pieces.put((self.loop.time() + self._lateness(is_answer), data))
            await pieces.put((0.0, b""))
            await delivering
        finally:
            delivering.cancel()

    def _lateness(self, is_answer: bool) -> float:
        faults = self.faults
        late = faults.delay + (faults.reply_delay if is_answer else 0.0)
        is_lost = bool(faults.loss) and self._draw.random() < faults.loss
        return late + (RETRANSMISSION if is_lost else 0.0)

    async def _deliver(
        self, pieces: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, is_answer: bool
    ) -> None:
        passed = 0
        is_dead = False
        while True:
            due, data = await pieces.get()
            if not data:
                return
            if (wait := due - self.loop.time()) > 0:
                await asyncio.sleep(wait)
            faults = self.faults
            is_dead = is_dead or faults.is_black_hole
            if is_dead:
                continue  # for good: TCP loses nothing in the middle
            if is_answer and faults.cut_after is not None:
                data = data[: max(faults.cut_after - passed, 0)]
            writer.write(data)
            await writer.drain()
            passed += len(data)
            if is_answer and faults.cut_after is not None and passed >= faults.cut_after:
                writer.close()
                return
            if faults.bytes_per_second is not None:
                await asyncio.sleep(len(data) / faults.bytes_per_second)


class DeafPort:
    """A port whose system answers no SYN: who connects waits, as behind a firewall that drops. A context manager."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self._port))
        listening.listen(0)
        self._sockets.append(listening)
        for _ in range(8):  # nobody accepts, and there is room for one or two
            filling = socket.socket()
            filling.setblocking(False)
            filling.connect_ex(("127.0.0.1", self._port))
            self._sockets.append(filling)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sock in self._sockets:
            sock.close()
