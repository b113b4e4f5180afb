"""Having the C library give large buffers back to the system as soon as they are free."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGE = 1024 * 1024
_SPARE = 16 * _LARGE


def give_back_large_buffers() -> None:
    """Map buffers of 1 MiB and more one by one, for the life of the process; nothing where ``mallopt`` is unknown.

    By default glibc raises that bound to the largest buffer that was ever freed, up to 32 MiB, and keeps all smaller
    ones in a heap that shrinks only from its end: what a few large values took would stay taken.
    """
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_TRIM_THRESHOLD, _SPARE)
