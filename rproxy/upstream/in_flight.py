"""The requests in flight on one connection, in the order in which their replies will come.

The Python form of ``in_flight.pyx``. An entry is a handful of numbers and two references, not an object: the bytes of
its request stay in the connection's outbox, where the oldest entry's come first.
"""

from __future__ import annotations

from collections import deque

from rproxy.metrics.counters import CommandStats
from rproxy.upstream.sink import DISCARD, Sink


class InFlight:
    """A first-in first-out queue; ``pop`` shows the oldest entry in the attributes of the queue itself."""

    __slots__ = ("_entries", "hops", "is_read", "sink", "size", "slot", "started", "stats", "token")

    def __init__(self) -> None:
        self._entries: deque[tuple[Sink, int, CommandStats | None, int, float, int, bool, int]] = deque()
        self.sink: Sink = DISCARD
        self.token = 0
        self.stats: CommandStats | None = None
        self.size = 0
        self.started = 0.0
        self.slot = 0
        self.is_read = False
        self.hops = 0

    def count(self) -> int:
        """How many requests are in flight."""
        return len(self._entries)

    def push(
        self,
        sink: Sink,
        token: int,
        stats: CommandStats | None,
        size: int,
        started: float,
        slot: int,
        is_read: bool,
        hops: int,
    ) -> None:
        """Add a request of ``size`` bytes, its deadline counted from ``started``; ``slot`` is -1 without keys."""
        self._entries.append((sink, token, stats, size, started, slot, is_read, hops))

    def pop(self) -> bool:
        """Remove the oldest entry and show it; false if there is none."""
        if not self._entries:
            return False
        self.sink, self.token, self.stats, self.size, self.started, self.slot, self.is_read, self.hops = (
            self._entries.popleft()
        )
        return True

    def has_slot(self, slot: int) -> bool:
        """Whether a request of ``slot`` is in flight."""
        return any(entry[5] == slot for entry in self._entries)

    def expire(self, before: float) -> list[tuple[Sink, int, CommandStats | None]]:
        """Point every entry started before ``before`` at the discard sink; the sinks, tokens and stats they had."""
        expired = []
        for index, entry in enumerate(self._entries):
            if entry[4] < before and entry[0] is not DISCARD:
                expired.append(entry[:3])
                self._entries[index] = (DISCARD, 0, None, *entry[3:])
        return expired
