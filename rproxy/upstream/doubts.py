"""Whether a request that a node refused was overtaken by one behind it, of the same client and slot, that was executed.

A node that says CLUSTERDOWN or LOADING may be well again when it comes to the next command on the connection. Sent
again after that one, a write would undo what its client did later: it has its error instead, which says the truth.
Reads have no order among themselves.
"""

from __future__ import annotations

from rproxy.upstream.sink import Sink


class Doubt:
    """Of the reads, or the writes, of one client and slot.

    While it ``is_open``, some of those behind them have no reply yet.
    """

    __slots__ = ("is_open", "is_overtaken")

    def __init__(self) -> None:
        self.is_open = True
        self.is_overtaken = False


class Doubts:
    """Those of one connection, from a refusal until all that was in flight behind it has been answered."""

    __slots__ = ("_behind", "_open")

    def __init__(self) -> None:
        self._behind = 0
        self._open: dict[tuple[int, int, bool], Doubt] = {}

    def add(self, slot: int, sink: Sink, is_read: bool, behind: int) -> Doubt:
        """That of a request of ``slot`` that was refused just now, with so many in flight behind it, at least one."""
        self._behind = behind
        return self._open.setdefault((slot, sink.affinity(), is_read), Doubt())

    def on_answered(self, slot: int, sink: Sink, is_read: bool, is_executed: bool) -> bool:
        """The oldest request in flight was answered; whether it was the last that had to be."""
        if is_executed:
            self.on_executed(slot, sink, is_read)
        self._behind -= 1
        if self._behind:
            return False
        self.settle()
        return True

    def on_executed(self, slot: int, sink: Sink, is_read: bool) -> None:
        """A request was executed, or may have been: it has overtaken those of its client and slot (a read: writes)."""
        for is_of_reads in (False,) if is_read else (False, True):
            doubt = self._open.pop((slot, sink.affinity(), is_of_reads), None)
            if doubt is not None:
                doubt.is_open = False
                doubt.is_overtaken = True

    def settle(self) -> None:
        """Nobody overtakes those that are left any more."""
        for doubt in self._open.values():
            doubt.is_open = False
        self._open.clear()
