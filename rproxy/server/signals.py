"""What the signals do to ``rproxy serve``."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Mapping

from rproxy.errors import StartError
from rproxy.server.service_manager import tell
from rproxy.server.succession import Successor

log = logging.getLogger("rproxy.restart")


class Signals:
    """SIGTERM and SIGINT end this process, SIGHUP has the configuration read again, SIGUSR2 starts a successor.

    Taken from the moment on that it is made; what comes before ``wait`` is waited for has no effect, but to end.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending: asyncio.Future[list[socket.socket]] = self._loop.create_future()
        self._reload: Callable[[], None] = lambda: None
        self._sockets: Callable[[], Mapping[str, socket.socket]] | None = None
        self._succeeding: asyncio.Task[None] | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._on_stop)
        self._loop.add_signal_handler(signal.SIGHUP, self._on_reload)
        self._loop.add_signal_handler(signal.SIGUSR2, self._on_restart)

    async def wait(
        self, reload: Callable[[], None], sockets: Callable[[], Mapping[str, socket.socket]]
    ) -> list[socket.socket]:
        """Wait for the end: where a successor takes the clients, empty if there is none.

        ``sockets`` gives those that it is to listen at.
        """
        self._reload = reload
        self._sockets = sockets
        return await self._ending

    def _on_stop(self) -> None:
        """The first SIGTERM or SIGINT; from then on they do what they do by default."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        if not self._ending.done():
            self._ending.set_result([])

    def _on_reload(self) -> None:
        self._reload()

    def _on_restart(self) -> None:
        if os.getpid() == 1:
            log.error("SIGUSR2: this is the first process of a container, which ends with it: replace the container")
        elif self._succeeding is None and self._sockets is not None and not self._ending.done():
            self._succeeding = asyncio.create_task(self._be_succeeded(self._sockets()))

    async def _be_succeeded(self, sockets: Mapping[str, socket.socket]) -> None:
        try:
            successor = Successor(sockets)
            log.info("SIGUSR2: process %d is to take the place of this one", successor.pid)
            self._ending.add_done_callback(lambda _: successor.give_up() if not heirs else None)
            heirs: list[socket.socket] = []
            heirs = await successor.heirs()
        except StartError as error:
            log.error("this rproxy goes on: %s", error)
            return
        finally:
            self._succeeding = None
        if not self._ending.done():
            log.info("process %d is ready and takes over the clients", successor.pid)
            tell(f"MAINPID={successor.pid}")
            self._ending.set_result(heirs)
