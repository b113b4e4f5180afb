"""Redis's glob-style patterns (``stringmatchlen`` in ``util.c``) as regular expressions over bytes.

``*`` is any bytes, ``?`` one byte, ``[a-c]`` and ``[^a-c]`` one of a set or not of it, a backslash takes away meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

_SPECIAL = {b"*"[0]: b".*", b"?"[0]: b"."}
_BACKSLASH, _OPEN, _CLOSE, _DASH = b"\\[]-"


def any_of(patterns: Iterable[bytes]) -> re.Pattern[bytes]:
    """What matches, with ``fullmatch``, all that one of ``patterns`` matches; nothing if there are none."""
    translated = [_translated(pattern) for pattern in patterns]
    return re.compile(b"|".join(translated) if translated else b"(?!)", re.DOTALL)


def _translated(pattern: bytes) -> bytes:
    parts: list[bytes] = []
    position = 0
    while position < len(pattern):
        byte = pattern[position]
        position += 1
        if byte == _OPEN:
            part, position = _one_of(pattern, position)
        elif byte in _SPECIAL:
            part = _SPECIAL[byte]
        else:
            if byte == _BACKSLASH and position < len(pattern):
                byte = pattern[position]
                position += 1
            part = re.escape(bytes((byte,)))
        if part != b".*" or parts[-1:] != [part]:
            parts.append(part)
    return _without_backtracking(parts)


def _without_backtracking(parts: list[bytes]) -> bytes:
    """The parts as one expression, in which what is between two stars is found once, where it comes first.

    To look for it further on could not help, but would take time without end (CVE-2022-36021).
    """
    stars = [index for index, part in enumerate(parts) if part == b".*"]
    for begin, end in pairwise(stars):
        parts[begin] = b"(?>.*?"
        parts[end - 1] += b")"
    return b"".join(parts)


def _one_of(pattern: bytes, position: int) -> tuple[bytes, int]:
    """The set whose members begin at ``position``, and where it ends. One that is not closed ends with the pattern."""
    is_negated = pattern[position : position + 1] == b"^"
    position += is_negated
    members: set[int] = set()
    while position < len(pattern) and pattern[position] != _CLOSE:
        byte = pattern[position]
        if byte == _BACKSLASH and position + 1 < len(pattern):
            members.add(pattern[position + 1])
            position += 2
        elif position + 2 < len(pattern) and pattern[position + 1] == _DASH:
            low, high = sorted((byte, pattern[position + 2]))
            members.update(range(low, high + 1))
            position += 3
        else:
            members.add(byte)
            position += 1
    if not members:
        return b"." if is_negated else b"(?!)", position + 1
    listed = b"".join(b"\\x%02x" % member for member in sorted(members))
    return b"[%b%b]" % (b"^" if is_negated else b"", listed), position + 1
