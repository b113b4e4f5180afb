"""What tells that files have changed, whoever changed them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

Mark = tuple[tuple[int, ...], ...]
"""Changes when one of several files does: time, size, inode and device of each; nothing of one that is not there."""


def mark_of(files: Iterable[Path]) -> Mark:
    """The mark of ``files``. Names are followed to where they lead now: Kubernetes changes that, and no file."""
    return tuple(map(_mark, files))


def _mark(file: Path) -> tuple[int, ...]:
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev
