"""Numbers in arguments, as Redis reads them (``string2ll`` in its ``util.c``)."""

from __future__ import annotations

import re

_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


def integer_of(text: bytes) -> int:
    """The 64-bit number. Raises ``ValueError`` for all else: a blank, a plus sign, a leading zero, ``-0``."""
    if _INTEGER.fullmatch(text) and _LEAST <= (number := int(text)) <= _MOST:
        return number
    raise ValueError("value is not an integer or out of range")
