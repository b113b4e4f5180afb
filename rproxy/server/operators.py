"""The admin server of this process: opened, moved and closed as the configuration says."""

from __future__ import annotations

import contextlib
import socket
from types import TracebackType
from typing import Self

from rproxy.config.certificates import Certificates
from rproxy.config.models import AdminConfig
from rproxy.server.crew import CrewSource
from rproxy.server.sockets import address_of, listen, purpose_of

ADMIN = "admin server"
"""What its socket is for; no listener can be called so."""


class Operators:
    """Answers operators over ``source``. A context manager that stops it."""

    def __init__(self, settings: AdminConfig | None, source: CrewSource, sock: socket.socket | None) -> None:
        self._settings = settings
        self._source = source
        self._socket = sock
        self._serving = contextlib.AsyncExitStack()

    @property
    def url(self) -> str | None:
        """Where it listens; ``None`` if there is no admin server."""
        if self._settings is None or self._socket is None:
            return None
        return f"{'https' if self._settings.tls is not None else 'http'}://{address_of(self._socket)}"

    def to_hand_over(self) -> dict[str, socket.socket]:
        """The socket, by what it is for, for another rproxy to take; none without an admin server."""
        if self._settings is None or self._socket is None:
            return {}
        return {f"{purpose_of(ADMIN, self._settings.address)}#0": self._socket}

    def open_new(self, settings: AdminConfig | None) -> socket.socket | None:
        """The socket for other settings: ``None`` if nothing is to be changed. Raises ``StartError``."""
        if settings is None or settings == self._settings:
            return None
        if self._socket is not None and self._settings is not None and settings.address == self._settings.address:
            return self._socket.dup()
        return listen(settings.address)

    async def adopt(self, settings: AdminConfig | None, sock: socket.socket | None) -> None:
        """Go by other settings, with what ``open_new`` gave."""
        if settings == self._settings:
            return
        before, self._serving = self._serving, contextlib.AsyncExitStack()
        self._settings, self._socket = settings, sock
        await self._start()
        await before.aclose()

    async def _start(self) -> None:
        if self._settings is None or self._socket is None:
            return
        from rproxy.admin.server import admin_server

        tls = Certificates(self._settings.tls, "admin") if self._settings.tls is not None else None
        await self._serving.enter_async_context(admin_server(self._source, self._socket, tls))

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._serving.aclose()
