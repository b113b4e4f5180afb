"""Commands whose replies depend on when exactly they are executed, which two servers do at different times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

_OPERANDS = {
    **dict.fromkeys((b"EXPIRE", b"PEXPIRE", b"SETEX", b"PSETEX", b"RESTORE"), 2),
    **dict.fromkeys((b"XCLAIM", b"XAUTOCLAIM"), 4),
    **dict.fromkeys((b"BLMPOP", b"BZMPOP"), 1),
    **dict.fromkeys((b"BLMOVE", b"BLPOP", b"BRPOP", b"BRPOPLPUSH", b"BZPOPMAX", b"BZPOPMIN"), -1),
}
"""Where the time stands that a command is about."""
_OPTIONS = (b"EX", b"PX", b"IDLE", b"BLOCK")
_AT_ONCE = 0.01
"""Seconds to block that are no wait."""
_SOON = 10_000
"""Seconds or milliseconds below which a time may be over at one server and not at the other."""


def depends_on_clock(command: Sequence[bytes]) -> bool:
    """Whether a time in ``command`` may end between one server's execution and the other's, or make its client wait."""
    name = command[0].upper()
    return any(_is_soon(name, word) for word in _times(name, command))


def _times(name: bytes, command: Sequence[bytes]) -> Iterator[bytes]:
    at = _OPERANDS.get(name)
    if at is not None and len(command) > abs(at):
        yield command[at]
    for option, operand in pairwise(command):
        if option.upper() in _OPTIONS:
            yield operand


def _is_soon(name: bytes, word: bytes) -> bool:
    if name.startswith(b"B"):
        return _seconds(word) == 0 or _seconds(word) > _AT_ONCE
    if name in (b"XREAD", b"XREADGROUP"):
        return word.isdigit() and int(word) != 1
    return word.isdigit() and 0 < int(word) < _SOON


def _seconds(word: bytes) -> float:
    """As C's ``strtold`` reads them, which knows hexadecimal numbers; -1 for what is none."""
    try:
        return float.fromhex(word.decode()) if b"x" in word.lower() else float(word)
    except (ValueError, OverflowError):
        return -1.0
