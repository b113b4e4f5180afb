"""How much of one client may be under way, so that its replies fit into what it may take. Pure.

The replies that wait for a client and those that its commands will have are bounded together. What the latter will be
is guessed from the last ones: a client that is new may have large ones, so it begins with few commands in flight.
"""

from __future__ import annotations

FIRST_GUESS = 12 * 1024**2
"""Bytes of a reply of which nothing is known: four of them fit into what a client may take if nothing else is said.

What the first replies tell takes its place at once.
"""


def bounds(limit: int) -> tuple[int, int]:
    """From how many waiting bytes on a client of ``limit`` has its nodes wait, and from how many its commands.

    The rest is for what comes before a node can be stopped, and for copies on their way.
    """
    return max(limit * 3 // 4, 1), max(limit // 2, 1)


def reply_size(before: int, passed: int, replies: int, begun: int) -> int:
    """The guess after ``replies`` of ``passed`` bytes in all, and ``begun`` bytes of one that has not ended.

    It grows at once, shrinks by half (from the first guess at once), and stays if there were none.
    """
    least = 0 if before == FIRST_GUESS else before // 2
    guess = max(passed // replies, least) if replies else before
    return max(guess, begun, 1)


def window(room: int, size: int, most: int) -> int:
    """How many commands may be in flight while there is room for ``room`` bytes of replies of ``size`` each."""
    return min(max(room // size, 1), most)
