"""Counters of the data path: plain integers on slotted objects, read at scrape time.

Every worker has its own; nothing here locks, allocates or reads a clock. The compiled form is ``counters.pyx``.
"""

from __future__ import annotations

from bisect import bisect_left

BUCKETS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the latency histogram in seconds; one more bucket holds what is slower."""


class CommandStats:
    """What became of one command on one cluster: outcomes and a latency histogram."""

    __slots__ = ("counts", "error", "seconds", "success")

    def __init__(self) -> None:
        self.success = 0
        self.error = 0
        self.seconds = 0.0
        self.counts = [0] * (len(BUCKETS) + 1)

    def record(self, is_error: bool, seconds: float) -> None:
        """Count one answered command that took ``seconds``."""
        if is_error:
            self.error += 1
        else:
            self.success += 1
        self.seconds += seconds
        self.counts[bisect_left(BUCKETS, seconds)] += 1
