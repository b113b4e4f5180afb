"""An asyncio loop in a thread of its own, for what has to go on while a test does something else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

Result = TypeVar("Result")


class Background:
    """A context manager: ``on_start`` runs on the loop before it is entered, ``on_stop`` when it is left."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    async def on_start(self) -> None:
        """Begin."""

    async def on_stop(self) -> None:
        """End, and leave nothing behind."""

    def run(self, work: Coroutine[Any, Any, Result], seconds: float = 60.0) -> Result:
        """Have the loop do ``work``, and wait for it. Raises ``TimeoutError``."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self.on_start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.run(self.on_stop())
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(10)
            self.loop.close()
