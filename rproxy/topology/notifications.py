"""Keyspace notifications: channels on which every primary speaks for its own keys alone.

What is published to any other channel reaches the subscribers at all nodes of a cluster.
"""

from __future__ import annotations

PREFIXES = (b"__keyspace@0__:", b"__keyevent@0__:")
"""How the channels of notifications begin; a cluster has the database 0 only."""
_ANY, _ONE, _SET, _ESCAPE = b"*?[\\"


def is_notification(channel: bytes) -> bool:
    """Whether ``channel`` is one of keyspace notifications."""
    return channel.startswith(PREFIXES)


def may_match_notifications(pattern: bytes) -> bool:
    """Whether there may be a channel of notifications that the glob-style ``pattern`` matches; in doubt, yes."""
    return any(_may_begin_with(pattern, prefix) for prefix in PREFIXES)


def _may_begin_with(pattern: bytes, prefix: bytes) -> bool:
    position = 0
    for wanted in prefix:
        if position >= len(pattern):
            return False
        byte = pattern[position]
        if byte in (_ANY, _SET):
            return True
        if byte == _ESCAPE and position + 1 < len(pattern):
            position += 1
            byte = pattern[position]
        elif byte == _ONE:
            byte = wanted
        if byte != wanted:
            return False
        position += 1
    return True
