"""Bytes on their way out of a connection, joined into one write per loop turn.

The Python form of ``outbox.pyx``. An outbox that *retains* keeps what was sent until it is released: an upstream
connection releases a request's bytes when its reply has come, and until then can resend them from here.
"""

from __future__ import annotations

from rproxy.resp.wire import Chunk


class Outbox:
    """A byte queue with three marks: the oldest kept byte, the first unsent one, and the end."""

    __slots__ = ("_data", "_head", "_sent", "retains")

    def __init__(self, retains: bool = False) -> None:
        self.retains = retains
        self._data = bytearray()
        self._head = 0
        self._sent = 0

    def append(self, chunk: Chunk, start: int, end: int) -> None:
        """Add ``chunk[start:end]``."""
        self._data += chunk[start:end]

    def write(self, data: bytes) -> None:
        """Add ``data``."""
        self._data += data

    def unsent(self) -> int:
        """How many bytes wait to be sent."""
        return len(self._data) - self._sent

    def sent(self) -> int:
        """How many of the kept bytes were sent."""
        return self._sent - self._head

    def size(self) -> int:
        """How many bytes are kept, sent or not."""
        return len(self._data) - self._head

    def take(self) -> bytes:
        """The unsent bytes; they count as sent from now on."""
        data = bytes(self._data[self._sent :])
        if self.retains:
            self._sent = len(self._data)
        else:
            self._data.clear()
        return data

    def release(self, size: int) -> bool:
        """Keep the oldest ``size`` bytes no longer; false, and nothing done, if they were not all sent yet."""
        if self._head + size > self._sent:
            return False
        self._head += size
        if self._head == len(self._data):
            self._data.clear()
            self._head = self._sent = 0
        elif self._head > 65536:
            del self._data[: self._head]
            self._sent -= self._head
            self._head = 0
        return True

    def copy(self, offset: int, size: int) -> bytes:
        """``size`` kept bytes, ``offset`` after the oldest. Raises ``IndexError`` where they are not all here."""
        start = self._head + offset
        if offset < 0 or size < 0 or start + size > len(self._data):
            raise IndexError("outside the outbox")
        return bytes(self._data[start : start + size])

    def clear(self) -> None:
        """Drop everything."""
        self._data.clear()
        self._head = self._sent = 0
