"""The log: one line per event on standard error."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime

_FRAMES = 6
"""How many places of an exception's traceback are named, from the innermost out."""


def set_up_logs(level: str, who: str = "") -> None:
    """Log events of ``level`` (``debug``, ``info``, ``warning``, ``error``) and above; ``who`` names the process."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter(who))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def set_log_level(level: str) -> None:
    """Log events of ``level`` and above from now on."""
    logging.getLogger().setLevel(level.upper())


class LineFormatter(logging.Formatter):
    """``2030-01-31T12:00:00.000Z WARNING rproxy.topology: what happened``, always one line.

    Of an exception it shows kind, text and where it came from, for a report, but no traceback.
    """

    def __init__(self, who: str = "") -> None:
        super().__init__()
        self._who = f"{who} " if who else ""

    def format(self, record: logging.LogRecord) -> str:
        """The line of ``record``."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = f"{time} {record.levelname} {self._who}{record.name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[1] is not None:
            line += f": {exception_line(record.exc_info[1])}"
        return " | ".join(filter(None, line.splitlines()))


def exception_line(error: BaseException) -> str:
    """``ValueError: text (at session.py:12 < dispatcher.py:99)``."""
    frames = reversed(traceback.extract_tb(error.__traceback__)[-_FRAMES:])
    places = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames)
    return f"{type(error).__name__}: {error}" + (f" (at {places})" if places else "")
