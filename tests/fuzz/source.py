"""Decisions and data drawn from the bytes that a fuzzer gives: any bytes make a run, equal bytes the same one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Source:
    """Draws from the front; what has run out is zero."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def has_more(self) -> bool:
        """Whether anything is left."""
        return self._position < len(self._data)

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer at the end."""
        taken = self._data[self._position : self._position + size]
        self._position += len(taken)
        return taken

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data))

    def below(self, limit: int) -> int:
        """A number from 0 to ``limit - 1``."""
        return int.from_bytes(self.take(1 if limit <= 256 else 2)) % limit

    def of(self, choices: Sequence[T]) -> T:
        """One of ``choices``."""
        return choices[self.below(len(choices))]

    def word(self) -> bytes:
        """A short text, its length drawn first."""
        return self.take(self.below(40))

    def cuts(self) -> list[int]:
        """Where a stream is cut, ascending."""
        return sorted(self.below(1024) for _ in range(self.below(6)))
