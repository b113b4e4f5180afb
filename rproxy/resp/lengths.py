"""The lines that tell a length, read from a chunk: for the Python form of the scanners."""

from __future__ import annotations

import re

Chunk = bytes | bytearray

LINE_MAX = 65536
"""Bytes after which a line that has not ended is too long, as to Redis."""
SHORT = 4096
"""Lengths below it are looked up, not parsed."""
PARTIAL = 0
TOO_LONG = -1
INVALID = -2
_NUMBER = re.compile(rb"(?:0|-?[1-9][0-9]{0,17})\Z")


def read_length(chunk: Chunk, position: int, end: int) -> tuple[int, int, bool]:
    """``(position after the line, number, the line ends with CRLF)``; a first item below 1 tells why there is none."""
    stop = chunk.find(b"\r", position, end)
    if stop < 0:
        return (TOO_LONG if end - position > LINE_MAX else PARTIAL), 0, True
    if stop + 1 >= end:
        return PARTIAL, 0, True
    text = chunk[position:stop]
    if not _NUMBER.match(text):
        return INVALID, 0, True
    return stop + 2, int(text), chunk[stop + 1] == 0x0A
