"""Another configuration while rproxy runs: read on SIGHUP or when the file changes, refused or applied as a whole."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from rproxy.config.changes import changes
from rproxy.config.file_mark import Mark
from rproxy.config.models import Config
from rproxy.config.source import ConfigFile
from rproxy.errors import RproxyError
from rproxy.metrics.samples import Sample
from rproxy.server.service_manager import tell, tell_reloading

WATCH_EVERY = 1.0
"""Seconds between two looks at the file. It is read when it has not changed any more since the last look."""

Apply = Callable[[Config], Awaitable[list[str]]]
"""Puts a configuration in force. Gives what went wrong with it in parts, a line each; raises ``RproxyError`` if all of
the old one is still in force."""

log = logging.getLogger("rproxy.reload")


class Reloader:
    """``config`` is what is in force. ``file`` is ``None`` if it came from flags: then there is nothing to read."""

    def __init__(self, config: Config, file: ConfigFile | None, apply: Apply) -> None:
        self.config = config
        self._file = file
        self._apply = apply
        self._results: Counter[str] = Counter(success=0, failure=0)
        self._is_good = True
        self._good_since = time.time()
        self._is_over = False
        self._mark: Mark = file.mark(config) if file is not None else ()
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Watch the file from now on."""
        if self._file is not None:
            self._begin(self._watch(self._file))

    async def stop(self) -> None:
        """Read nothing more; what is being applied is brought to its end."""
        self._is_over = True
        async with self._lock:
            for task in self._tasks:
                task.cancel()

    def on_signal(self) -> None:
        """SIGHUP: read the file, whether it has changed or not."""
        if self._file is None:
            log.warning("SIGHUP: the configuration came from the command line, so there is no file to read again")
        else:
            self._begin(self.reload(self._file))

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, file: ConfigFile) -> None:
        seen = self._mark
        while True:
            await asyncio.sleep(WATCH_EVERY)
            if not self.config.watch_config:
                continue
            last, seen = seen, file.mark(self.config)
            if seen == last and seen != self._mark:
                await self.reload(file)
                seen = self._mark

    async def reload(self, file: ConfigFile) -> None:
        """Read ``file`` and put what it says in force; if that cannot be, say why, and leave the old one in force."""
        async with self._lock:
            if self._is_over:
                return
            before = file.mark(self.config)
            tell_reloading()
            try:
                # In a thread: to read a large file takes longer than clients like to wait.
                config = await asyncio.to_thread(file.load)
                troubles = await self._put_in_force(config)
            except RproxyError as error:
                troubles = str(error).splitlines()
                log.error("the new configuration is refused, the old one stays in force:")
            # What the file was before it was read: a change meanwhile is another one.
            self._mark = (before[0], *file.mark(self.config)[1:])
            for trouble in troubles:
                log.error("%s", trouble)
            self._note(is_good=not troubles)
            tell("READY=1")

    async def _put_in_force(self, config: Config) -> list[str]:
        if config.workers != self.config.workers:
            log.warning("workers stays %d: another number needs a restart", self.config.workers)
            config = config.model_copy(update={"workers": self.config.workers})
        different = changes(self.config, config)
        if not different and self._is_good:
            log.info("the configuration has been read again; nothing is different")
            return []
        troubles = await self._apply(config)
        self.config = config
        log.info("another configuration is in force: %s", "; ".join(different) or "nothing is different")
        return troubles

    def _note(self, *, is_good: bool) -> None:
        self._results["success" if is_good else "failure"] += 1
        self._is_good = is_good
        if is_good:
            self._good_since = time.time()

    def samples(self) -> list[Sample]:
        """What came of the attempts."""
        return [
            *(("rproxy_config_reloads_total", (result,), count) for result, count in self._results.items()),
            ("rproxy_config_last_reload_successful", (), int(self._is_good)),
            ("rproxy_config_last_reload_success_timestamp_seconds", (), self._good_since),
        ]
