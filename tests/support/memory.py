"""How much memory a process takes while something happens."""

from __future__ import annotations

import resource
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

INTERVAL = 0.005


class Peak:
    """``with Peak(pid) as memory``: how far the process grows over what it has now, at most, and what stays."""

    def __init__(self, pid: int) -> None:
        self._statm = Path(f"/proc/{pid}/statm")
        self._is_over = threading.Event()
        self._sampling = threading.Thread(target=self._sample, daemon=True)
        self.before = self.now()
        self._most = self.before

    def now(self) -> int:
        """Resident bytes."""
        return int(self._statm.read_text().split()[1]) * resource.getpagesize()

    @property
    def growth(self) -> int:
        """Bytes over what there was before, at the highest."""
        return self._most - self.before

    def _sample(self) -> None:
        while not self._is_over.wait(INTERVAL):
            self._most = max(self._most, self.now())

    def __enter__(self) -> Self:
        self._sampling.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._sampling.join()
