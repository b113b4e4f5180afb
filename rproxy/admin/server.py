"""The HTTP server for operators on its socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rproxy.admin.connection import HEAD_LIMIT, Connection
from rproxy.admin.pages import AdminSource
from rproxy.admin.tls_server import TlsServer
from rproxy.config.certificates import Certificates

CONNECTIONS_LIMIT = 64
"""Connections that are open at once."""
_CLOSE_WITHIN = 1.0
"""Seconds that answers under way have when the server closes."""


@asynccontextmanager
async def admin_server(
    source: AdminSource, listening: socket.socket, tls: Certificates | None = None
) -> AsyncIterator[None]:
    """Answer over ``source`` on the socket ``listening``, which is closed at the end. There is no access log."""
    connections = _Connections(source)
    server: asyncio.Server | TlsServer
    if tls is not None:
        server = TlsServer(connections.serve, listening, tls)
    else:
        server = await asyncio.start_server(connections.serve, sock=listening, limit=HEAD_LIMIT)
    try:
        yield
    finally:
        server.close()
        await connections.close()


class _Connections:
    """The open connections, the oldest first, with the tasks that serve them."""

    def __init__(self, source: AdminSource) -> None:
        self._source = source
        self._tasks: dict[Connection, asyncio.Task[None]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a new client. At the limit the oldest makes room, so that no crowd of silent ones keeps a probe out."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs this as a task
        if len(self._tasks) >= CONNECTIONS_LIMIT:
            self._tasks.pop(next(iter(self._tasks))).cancel()
        connection = Connection(self._source, reader, writer)
        self._tasks[connection] = task
        try:
            await connection.serve()
        finally:
            self._tasks.pop(connection, None)

    async def close(self) -> None:
        """Close what waits for a request at once, and what answers one soon."""
        tasks = list(self._tasks.values())
        for connection, task in list(self._tasks.items()):
            connection.is_last_answer = True
            if not connection.is_answering:
                task.cancel()
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=_CLOSE_WITHIN)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
