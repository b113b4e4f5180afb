"""The requests in flight on one connection, in the order in which their replies will come.

The Python form of ``in_flight.pyx``. An entry is a handful of numbers and two references, not an object: the bytes of
its request stay in the connection's outbox, where the oldest entry's come first.
"""

from __future__ import annotations

from collections import deque

from rproxy.metrics.counters import CommandStats
from rproxy.upstream.sink import DISCARD, Sink

Entry = tuple[Sink, int, CommandStats | None, int, float, int, bool, int, int]


class InFlight:
    """A first-in first-out queue; the entry that was answered or popped is shown in the attributes of the queue itself.

    A request may be a unit of several commands, answered by as many ``replies``.
    """

    __slots__ = (
        "_answered",
        "_entries",
        "hops",
        "is_read",
        "replies",
        "sink",
        "size",
        "slot",
        "started",
        "stats",
        "token",
    )

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self.sink: Sink = DISCARD
        self.token = 0
        self.stats: CommandStats | None = None
        self.size = 0
        self.started = 0.0
        self.slot = 0
        self.is_read = False
        self.hops = 0
        self.replies = 1
        self._answered = 0

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
        replies: int,
    ) -> None:
        """Add a request of ``size`` bytes, its deadline counted from ``started``; ``slot`` is -1 without keys."""
        self._entries.append((sink, token, stats, size, started, slot, is_read, hops, replies))

    def answer(self) -> int:
        """Take a reply to the oldest entry; how many it still needs, 0 if it was popped, -1 if there is no entry."""
        if not self._entries:
            return -1
        (
            self.sink,
            self.token,
            self.stats,
            self.size,
            self.started,
            self.slot,
            self.is_read,
            self.hops,
            self.replies,
        ) = self._entries.popleft()
        if self.replies == 1:
            return 0
        return self._answer_partly()

    def _answer_partly(self) -> int:
        self._answered += 1
        rest = self.replies - self._answered
        if rest:
            entry = (self.sink, self.token, self.stats, self.size, self.started, self.slot, self.is_read, self.hops)
            self._entries.appendleft((*entry, self.replies))
        else:
            self._answered = 0
        return rest

    def pop(self) -> bool:
        """Remove the oldest entry, however far it was answered; false if there is none."""
        if not self._entries:
            return False
        self._answered = 0
        entry = self._entries.popleft()
        self.sink, self.token, self.stats, self.size, self.started, self.slot, self.is_read, self.hops = entry[:8]
        self.replies = entry[8]
        return True

    def peek(self) -> Sink | None:
        """The sink of the oldest entry, with its ``token``; ``None`` without one, or if it takes several replies."""
        if not self._entries or self._entries[0][8] > 1:
            return None
        self.token = self._entries[0][1]
        return self._entries[0][0]

    def affinities(self) -> set[int]:
        """The affinities of the sessions that wait for replies."""
        return {entry[0].affinity() for entry in self._entries} - {-1}

    def has_affinity(self, affinity: int) -> bool:
        """Whether a session waits for a reply, as far as its requests tell; the newest are asked first."""
        return any(entry[0].affinity() == affinity for entry in reversed(self._entries))

    def postpone(self, since: float, until: float) -> None:
        """Count no time from ``since`` until ``until``, which is now, against any deadline."""
        for index, entry in enumerate(self._entries):
            started = min(entry[4] + until - since, until)
            self._entries[index] = (*entry[:4], started, *entry[5:])

    def has_slot(self, slot: int) -> bool:
        """Whether a request of ``slot`` is in flight."""
        return any(entry[5] == slot for entry in self._entries)

    def slots(self) -> set[int]:
        """The slots of the requests in flight, -1 among them if one has no keys."""
        return {entry[5] for entry in self._entries}

    def expire(self, before: float) -> list[tuple[Sink, int, CommandStats | None]]:
        """Point every entry started before ``before`` at the discard sink; the sinks, tokens and stats they had."""
        expired = []
        for index, entry in enumerate(self._entries):
            if entry[4] < before and entry[0] is not DISCARD:
                expired.append(entry[:3])
                self._entries[index] = (DISCARD, 0, None, *entry[3:])
        return expired
