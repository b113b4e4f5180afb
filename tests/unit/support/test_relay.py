"""The relay does to a connection what it says."""

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.background import Background
from tests.support.relay import RETRANSMISSION, DeafPort, Relay


class Echo(Background):
    """Says what it hears."""

    port = 0

    async def on_start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def on_stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except ConnectionError:
            pass
        writer.close()


@pytest.fixture
def relay() -> Iterator[Relay]:
    with Echo() as echo, Relay(echo.port) as relay:
        yield relay


@pytest.fixture
def sock(relay: Relay) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", relay.port), 5) as connection:
        connection.sendall(b"hello")
        assert connection.recv(100) == b"hello"
        yield connection


def test_without_a_fault_everything_passes(relay: Relay, sock: socket.socket) -> None:
    assert relay.accepted == 1
    sock.shutdown(socket.SHUT_WR)
    assert sock.recv(100) == b""


def test_a_delay_is_at_least_as_long(relay: Relay, sock: socket.socket) -> None:
    relay.faults.delay = 0.05
    began = time.monotonic()
    sock.sendall(b"late")
    assert sock.recv(100) == b"late"
    assert time.monotonic() - began >= 0.1


def test_a_black_hole_takes_bytes_and_says_nothing(relay: Relay, sock: socket.socket) -> None:
    relay.faults.is_black_hole = True
    sock.settimeout(0.1)
    sock.sendall(b"lost")
    with pytest.raises(TimeoutError):
        sock.recv(100)
    with socket.create_connection(("127.0.0.1", relay.port), 0.1) as other:
        other.sendall(b"lost")
        with pytest.raises(TimeoutError):
            other.recv(100)


def test_a_reset_is_a_reset(relay: Relay, sock: socket.socket) -> None:
    relay.reset()
    with pytest.raises(ConnectionResetError):
        sock.recv(100)


def test_a_half_open_connection_stays_and_is_silent(relay: Relay, sock: socket.socket) -> None:
    relay.half_open()
    sock.settimeout(0.1)
    sock.sendall(b"lost")
    with pytest.raises(TimeoutError):
        sock.recv(100)


def test_a_cut_is_in_the_middle(relay: Relay) -> None:
    relay.faults.cut_after = 3
    with socket.create_connection(("127.0.0.1", relay.port), 5) as sock:
        sock.sendall(b"hello")
        assert sock.makefile("rb").read() == b"hel"


def test_a_throttle_takes_its_time(relay: Relay, sock: socket.socket) -> None:
    relay.faults.bytes_per_second = 100_000
    began = time.monotonic()
    for _ in range(2):
        sock.sendall(b"x" * 5000)
        assert sock.makefile("rb").read(5000) == b"x" * 5000
    assert time.monotonic() - began >= 0.05


def test_only_replies_are_late_and_those_of_one_moment_together(relay: Relay, sock: socket.socket) -> None:
    relay.faults.reply_delay = 0.2
    began = time.monotonic()
    for _ in range(10):
        sock.sendall(b"late!")
        time.sleep(0.01)
    assert sock.makefile("rb").read(50) == b"late!" * 10
    assert 0.2 <= time.monotonic() - began < 1.0


def test_what_is_lost_comes_later_and_in_order(relay: Relay, sock: socket.socket) -> None:
    relay.faults.loss = 1.0
    began = time.monotonic()
    sock.sendall(b"hello")
    assert sock.makefile("rb").read(5) == b"hello"
    assert time.monotonic() - began >= 2 * RETRANSMISSION


def test_it_can_listen_again(relay: Relay) -> None:
    address = ("127.0.0.1", relay.port)
    relay.stop_listening()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, 5)
    with DeafPort(relay.port), pytest.raises(TimeoutError):
        socket.create_connection(address, 0.2)
    relay.listen_again()
    with socket.create_connection(address, 5) as sock:
        sock.sendall(b"hello")
        assert sock.recv(100) == b"hello"
