"""A request off the fast path: one that is redirected, retried, or waits for an endpoint."""

from __future__ import annotations

from dataclasses import dataclass

from rproxy.metrics.counters import CommandStats
from rproxy.upstream.doubts import Doubt
from rproxy.upstream.sink import Sink

LOST_ONCE = 64
"""Added to the hops of a read that was lost in flight: it is sent again once."""
DOUBTED = 2 * LOST_ONCE
"""Added to the hops of a script each time that a redirection of it is not believed."""


@dataclass(slots=True)
class Request:
    """One unit sent to one endpoint, with its own bytes.

    ``affinity`` picks the connection in a pool, so that its session's order, and its RESP version, are kept. ``hops``
    counts how often it was sent elsewhere; ``answer`` is the error a node gave while it is retried. A
    node gives ``replies`` replies to it, of which the last is the request's (``MULTI`` … ``EXEC``). ``was_sent``: it
    comes back from a connection, and is older than what has never been on one. ``doubt``: whether it was overtaken.
    """

    data: bytes
    sink: Sink
    token: int
    stats: CommandStats | None
    slot: int
    is_read: bool
    affinity: int
    started: float
    hops: int = 0
    not_before: float = 0.0
    answer: bytes | None = None
    replies: int = 1
    was_sent: bool = False
    doubt: Doubt | None = None

    def fail(self, line: bytes) -> None:
        """Answer with the error ``line`` (``-CODE text CRLF``)."""
        if self.stats is not None:
            self.stats.record(True, 0.0)
        self.sink.deliver(self.token, line, 0, len(line))
