"""What becomes of a connection, as tables: its phases, and the moves between them.

A phase is read off the flags that the data path tests, which stay as cheap as they are; a test drives connections of
every kind through all that can happen to them, and compares the moves that it sees with these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Phase(Enum):
    """Where a connection is in its life."""

    CONNECTING = "connecting"
    """Requests are taken, and leave when the socket is there."""
    OPEN = "open"
    THROTTLED = "throttled"
    """Nothing more is read from the client until it has taken replies, or some have come."""
    FINISHING = "finishing"
    """No command is taken any more; it closes with the last reply."""
    CLOSED = "closed"


Moves = Mapping[Phase, frozenset[Phase]]

DOWNSTREAM: Moves = {
    Phase.OPEN: frozenset({Phase.THROTTLED, Phase.FINISHING, Phase.CLOSED}),
    Phase.THROTTLED: frozenset({Phase.OPEN, Phase.FINISHING, Phase.CLOSED}),
    Phase.FINISHING: frozenset({Phase.CLOSED}),
    Phase.CLOSED: frozenset(),
}
"""A client's connection."""

UPSTREAM: Moves = {
    Phase.CONNECTING: frozenset({Phase.OPEN, Phase.CLOSED}),
    Phase.OPEN: frozenset({Phase.CLOSED}),
    Phase.CLOSED: frozenset(),
}
"""A connection to a node, shared or pinned. What was lost is never opened again: another takes its place."""

SUBSCRIBER: Moves = {Phase.OPEN: frozenset({Phase.CLOSED}), Phase.CLOSED: frozenset()}
"""A connection in subscriber mode: it is made when its socket is there."""


def upstream_phase(is_open: bool, was_open: bool) -> Phase:
    """The phase of a connection to a node."""
    if not is_open:
        return Phase.CLOSED
    return Phase.OPEN if was_open else Phase.CONNECTING
