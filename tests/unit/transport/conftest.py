import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from rproxy.resp.wire import Chunk
from rproxy.transport.attach import HAS_EPOLL, make_turn, stop_turn
from rproxy.transport.connection import Connection, Traffic, Turn
from rproxy.transport.streams import StreamTransport
from tests.support.fake_node import PATIENCE

NO_EPOLL = "the epoll transport exists in the compiled form only"


class LineConnection(Connection):
    """Takes whole lines, and keeps what it is told. ``happened`` is set by everything that is told."""

    def __init__(self, turn: Turn, is_upstream: bool = False) -> None:
        Connection.__init__(self, turn, Traffic(), is_upstream)
        self.received = b""
        self.events: list[str] = []
        self.happened = asyncio.Event()
        self.on_line: Callable[[], None] = lambda: None

    def on_bytes(self, chunk: Chunk, start: int, end: int) -> int:
        line_end = chunk.rfind(b"\n", start, end) + 1
        if not line_end:
            return start
        self.received += bytes(chunk[start:line_end])
        self.on_line()
        self.happened.set()
        return line_end

    def on_eof(self) -> None:
        self._tell("eof")
        self.transport.pause_reading()

    def on_lost(self, reason: str) -> None:
        self._tell(f"lost: {reason}")

    def on_sent(self) -> None:
        self._tell("sent")

    def _tell(self, event: str) -> None:
        self.events.append(event)
        self.happened.set()

    async def until(self, is_true: Callable[[], object]) -> None:
        """Wait until something holds after something has been told. Raises ``TimeoutError``."""
        async with asyncio.timeout(PATIENCE):
            while not is_true():
                self.happened.clear()
                await self.happened.wait()

    def say(self, data: bytes) -> None:
        self.outbox.write(data)
        self.turn.mark(self)


class FarEnd:
    """The peer's side of a connection: a plain socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._loop.sock_sendall(self.sock, data)

    async def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes, or what comes before the end."""
        data = b""
        async with asyncio.timeout(PATIENCE):
            while len(data) < size and (piece := await self._loop.sock_recv(self.sock, size - len(data))):
                data += piece
        return data

    def reset(self) -> None:
        """Close without ceremony."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Serve = Callable[..., Awaitable[tuple[LineConnection, FarEnd]]]


async def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection on loopback, not blocking."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        far = socket.create_connection(server.getsockname())
        near, _ = server.accept()
    near.setblocking(False)
    far.setblocking(False)
    return near, far


@pytest.fixture
def pairs() -> Any:
    """Makes pairs of connected sockets."""
    return socket_pair


@pytest.fixture(params=["streams", pytest.param("epoll", marks=pytest.mark.skipif(not HAS_EPOLL, reason=NO_EPOLL))])
async def turn(request: pytest.FixtureRequest) -> AsyncIterator[Turn]:
    """The turn of either transport."""
    loop = asyncio.get_running_loop()
    made = make_turn(loop) if request.param == "epoll" else Turn(loop)
    yield made
    stop_turn(made)


@pytest.fixture
async def serve(turn: Turn) -> AsyncIterator[Serve]:
    """Serves a new connection by ``turn``'s transport: the connection and its far end."""
    served: list[tuple[LineConnection, FarEnd]] = []

    async def start(is_upstream: bool = False) -> tuple[LineConnection, FarEnd]:
        near, far = await socket_pair()
        connection = LineConnection(turn, is_upstream)
        served.append((connection, FarEnd(far)))
        if type(turn) is Turn:
            await turn.loop.connect_accepted_socket(lambda: StreamTransport(connection), near)
        else:
            turn.attach(near.detach(), connection)
        return served[-1]

    yield start
    for connection, far in served:
        if connection.transport is not None:
            connection.transport.close()
        far.sock.close()


@pytest.fixture
def connection_type() -> type[LineConnection]:
    """The class of the connections that ``serve`` makes."""
    return LineConnection
