"""A small blocking client for the nodes of an embedded cluster: one socket, one reply for each command."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Any, Self

import hiredis

Argument = str | int | float | bytes


def _pack(arguments: tuple[Argument, ...]) -> bytes:
    packed: bytes = hiredis.pack_command(arguments)  # type: ignore[arg-type] # its stub says a tuple of one
    return packed


class WireClient:
    """A connection to one Redis process or proxy. Replies are bytes, ints, ``None`` and lists of these.

    Every wait is bounded by ``timeout`` seconds: ``TimeoutError`` after it, ``ConnectionError`` when the server closes.
    """

    def __init__(self, port: int, host: str = "127.0.0.1", *, timeout: float = 5.0) -> None:
        self._socket = socket.create_connection((host, port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader()

    def call(self, *arguments: Argument) -> Any:
        """The reply to one command. Raises ``hiredis.ReplyError`` for an error reply."""
        self.send(*arguments)
        reply = self.read()
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        return reply

    def call_all(self, commands: list[tuple[Argument, ...]]) -> list[Any]:
        """The replies to a pipeline of commands, errors as ``hiredis.ReplyError`` values among them."""
        self._socket.sendall(b"".join(_pack(command) for command in commands))
        return [self.read() for _ in commands]

    def send(self, *arguments: Argument) -> None:
        """Write one command and leave its reply to ``read``."""
        self._socket.sendall(_pack(arguments))

    def read(self, timeout: float | None = None) -> Any:
        """The next reply (of ``MONITOR``: the next line). ``timeout`` replaces the connection's from here on."""
        if timeout is not None:
            self._socket.settimeout(timeout)
        while (reply := self._reader.gets()) is False:
            received = self._socket.recv(65536)
            if not received:
                raise ConnectionError("the server closed the connection")
            self._reader.feed(received)
        return reply

    def close(self) -> None:
        """Close the socket; a second call does nothing."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
