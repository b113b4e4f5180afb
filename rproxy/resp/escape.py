"""Bytes shown as text, as Redis shows them (``sdscatrepr`` in ``sds.c``)."""

from __future__ import annotations

_NAMED = {0x5C: b"\\\\", 0x22: b'\\"', 0x0A: b"\\n", 0x0D: b"\\r", 0x09: b"\\t", 0x07: b"\\a", 0x08: b"\\b"}
_SHOWN = [_NAMED.get(byte) or (bytes([byte]) if 0x20 <= byte < 0x7F else b"\\x%02x" % byte) for byte in range(256)]


def quoted(data: bytes) -> bytes:
    """``data`` in quotes, what cannot be printed escaped."""
    return b'"%b"' % b"".join(map(_SHOWN.__getitem__, data))
