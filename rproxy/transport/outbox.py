"""Bytes on their way out of a connection, joined into one write per loop turn.

The Python form of ``outbox.pyx``. An outbox that *retains* keeps what was sent until it is released: an upstream
connection releases a request's bytes when its reply has come, and until then can resend them from here. One that does
not, and has much unsent, goes on in a chain of blocks, so that it takes little more memory than its bytes.
"""

from __future__ import annotations

from collections import deque

from rproxy.resp.wire import Chunk

_PIECE = 262144


class Outbox:
    """A byte queue with three marks: the oldest kept byte, the first unsent one, and the end.

    ``gone`` counts the bytes that were sent, from here or past it.
    """

    __slots__ = ("_chain", "_chained", "_data", "_head", "_sent", "gone", "retains")

    def __init__(self, retains: bool = False) -> None:
        self.retains = retains
        self.gone = 0
        self._data = bytearray()
        self._chain: deque[bytearray] = deque()
        self._chained = 0
        self._head = 0
        self._sent = 0

    def append(self, chunk: Chunk, start: int, end: int) -> None:
        """Add ``chunk[start:end]``."""
        if not self._chain and (len(self._data) < _PIECE or self.retains):
            self._data += chunk[start:end]
        else:
            self._link(chunk[start:end])

    def write(self, data: bytes) -> None:
        """Add ``data``."""
        if not self._chain and (len(self._data) < _PIECE or self.retains):
            self._data += data
        else:
            self._link(data)

    def _link(self, data: Chunk) -> None:
        """Add ``data`` to the last block of the chain, or to a new one; what is before the chain grows no more."""
        if not self._chain or len(self._chain[-1]) >= _PIECE:
            self._chain.append(bytearray())
        self._chain[-1] += data
        self._chained += len(data)

    def unsent(self) -> int:
        """How many bytes wait to be sent."""
        return len(self._data) - self._sent + self._chained

    def sent(self) -> int:
        """How many of the kept bytes were sent."""
        return self._sent - self._head

    def size(self) -> int:
        """How many bytes are kept, sent or not."""
        return len(self._data) - self._head + self._chained

    def take(self) -> bytes:
        """The unsent bytes; they count as sent from now on."""
        return self._take(self.unsent())

    def take_piece(self) -> bytes:
        """The first of the unsent bytes, 256 KiB at most; they count as sent from now on."""
        return self._take(min(self.unsent(), _PIECE))

    def _take(self, size: int) -> bytes:
        self.gone += size
        if self.retains:
            self._sent += size
            return bytes(self._data[self._sent - size : self._sent])
        if size == len(self._data):
            data = bytes(self._data)
            self._step()
            return data
        pieces = []
        while size:
            piece = self._data[:size]
            size -= len(piece)
            pieces.append(piece)
            del self._data[: len(piece)]
            if not self._data:
                self._step()
        return b"".join(pieces)

    def _step(self) -> None:
        """Go on with the first block of the chain, after all before it was taken."""
        if self._chain:
            self._data = self._chain.popleft()
            self._chained -= len(self._data)
        else:
            self._data.clear()

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
        self._chain.clear()
        self._chained = 0
        self._head = self._sent = 0
