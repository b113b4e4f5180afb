"""The HTTP server for operators on its socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from rproxy.admin.app import AdminSource, make_app

_CLOSE_WITHIN = 1.0
"""Seconds that answers under way have when the server closes."""


@asynccontextmanager
async def admin_server(source: AdminSource, listening: socket.socket) -> AsyncIterator[None]:
    """Answer over ``source`` on the socket ``listening``, which is closed at the end. There is no access log."""
    runner = web.AppRunner(make_app(source), access_log=None, shutdown_timeout=_CLOSE_WITHIN)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        yield
    finally:
        await runner.cleanup()
