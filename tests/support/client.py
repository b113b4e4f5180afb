"""A client that sees raw bytes: what exactly came over the wire, reply by reply."""

from __future__ import annotations

import select
import socket
from types import TracebackType
from typing import Self

Argument = str | bytes | int


def pack(*arguments: Argument) -> bytes:
    """One command as an array of bulk strings."""
    encoded = [argument if isinstance(argument, bytes) else str(argument).encode() for argument in arguments]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(item), item) for item in encoded)


class RawClient:
    """A blocking connection that returns each reply as the bytes it consists of."""

    def __init__(self, port: int, *, timeout: float = 30.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self._socket.makefile("rb")

    def command(self, *arguments: Argument) -> bytes:
        """The raw reply to one command."""
        self.send(pack(*arguments))
        return self.read_reply()

    def pipeline(self, commands: list[tuple[Argument, ...]]) -> list[bytes]:
        """The raw replies to commands that are written at once."""
        self.send(b"".join(pack(*command) for command in commands))
        return [self.read_reply() for _ in commands]

    def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        self._socket.sendall(data)

    def read_reply(self) -> bytes:
        """The next reply. Raises ``TimeoutError``, or ``ConnectionError`` if the server closes within or before it."""
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError(f"closed after {line!r}")
        if line[:1] not in b"$*%~>=" or line == b"$-1\r\n":
            return line
        count = int(line[1:]) * (2 if line[:1] == b"%" else 1)
        if line[:1] in b"$=":
            return line + self.stream.read(count + 2)
        return line + b"".join(self.read_reply() for _ in range(count))

    def read_to_end(self) -> bytes:
        """Everything until the server closes the connection (also by a reset)."""
        received = bytearray()
        try:
            while chunk := self.stream.read1(65536):
                received += chunk
        except ConnectionResetError:
            pass
        return bytes(received)

    def end_sending(self) -> None:
        """Tell the server that nothing more will come, and go on reading."""
        self._socket.shutdown(socket.SHUT_WR)

    def is_open(self) -> bool:
        """Whether the server has not closed the connection, as far as that is known here."""
        try:
            is_readable = bool(select.select([self._socket], [], [], 0)[0])
            return not is_readable or self._socket.recv(1, socket.MSG_PEEK) != b""
        except ConnectionResetError:
            return False

    def set_timeout(self, seconds: float) -> None:
        """How long every further wait may take."""
        self._socket.settimeout(seconds)

    def close(self) -> None:
        """Close the connection."""
        self.stream.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
