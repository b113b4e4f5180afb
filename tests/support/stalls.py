"""How long the machine itself held things up: what a bound on latency has to allow for besides what it is about."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

_NAP = 0.002


class Stalls:
    """A thread that naps all the time and notes by how much too long each nap was.

    It competes for the processor, and for the interpreter, as the clients of a load in this process do, so it is
    delayed as they are. A context manager.
    """

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def worst(self, since: float, until: float) -> float:
        """Seconds of the longest delay that ended in a span of time, on the clock ``time.monotonic``."""
        return max((late for at, late in list(self._late) if since <= at <= until), default=0.0)

    def _watch(self) -> None:
        while not self._is_ending.is_set():
            began = time.monotonic()
            time.sleep(_NAP)
            now = time.monotonic()
            self._late.append((now, max(now - began - _NAP, 0.0)))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_ending.set()
        self._thread.join(10)
