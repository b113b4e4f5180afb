"""A worker that serves no Redis: it answers each line of a client, and does to itself what the line says.

Run as a script it is a worker process. Its ``rproxy_mirror_sent_total`` counts the lines.
"""

import asyncio
import json
import os
import socket
import time
from collections.abc import Sequence
from typing import Any

from rproxy.config.models import Config
from rproxy.dispatch.crew import Link
from rproxy.downstream.balance import Share
from rproxy.errors import StartError
from rproxy.metrics.samples import Sample
from rproxy.server.worker_main import main


class StubWorker:
    def __init__(self, config: Config, sockets: dict[str, socket.socket], *, worker_id: int = 0) -> None:
        self.config = config
        self.worker_id = worker_id
        self.drained_within: float | None = None
        self._sockets = sockets
        self._servers: list[asyncio.Server] = []
        self._clients = 0
        self._lines = 0
        self.noted: list[Any] = []
        self.reloads: list[tuple[Config, dict[str, socket.socket]]] = []

    def share(self, share: Share, /) -> None:
        self.shared = share

    def join(self, link: Link, /) -> None:
        self.link = link

    def answer(self, listener: str, question: str, argument: Any) -> Any:
        if question == "fail":
            raise ValueError(argument)
        if question == "note":
            self.noted.append(argument)
            return None
        if question == "noted":
            return [self.worker_id, self.noted]
        return [self.worker_id, listener, question, argument]

    async def start(self) -> None:
        if self.config.clusters[0].name == "broken":
            raise StartError("the cluster is broken")
        for sock in self._sockets.values():
            self._servers.append(await asyncio.start_server(self._serve, sock=sock))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        while line := await reader.readline():
            self._lines += 1
            if line == b"die\n":
                os._exit(3)
            if line.startswith(b"ask "):
                writer.write(json.dumps(await self._ask(line.split()[1].decode())).encode() + b"\n")
                continue
            if line == b"tell\n":
                self.link.tell(1 - self.worker_id, "redis", "note", "told")
            writer.write(b"%d\n" % os.getpid())
        self._clients -= 1
        writer.close()

    async def _ask(self, question: str) -> list[Any]:
        """What the other workers answer."""
        answers = asyncio.get_running_loop().create_future()
        self.link.ask("redis", question, {"from": self.worker_id}, answers.set_result)
        return [self.worker_id, *await answers]

    async def reload(self, config: Config, sockets: dict[str, socket.socket], /) -> None:
        if config.clusters[0].name == "broken":
            raise StartError("the cluster is broken")
        self.config = config
        self.reloads.append((config, sockets))

    def inherit(self, inbox: socket.socket, /) -> None:
        self.inbox = inbox

    async def drain(self, seconds: float, heirs: Sequence[socket.socket] = (), /) -> bool:
        self.drained_within = seconds
        self.heirs = heirs
        for server in self._servers:
            server.close()
        deadline = time.monotonic() + seconds
        while self._clients and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return self._clients == 0

    def samples(self) -> list[Sample]:
        return [
            ("rproxy_mirror_sent_total", ("stub",), self._lines),
            ("rproxy_downstream_connections_active", ("redis",), self._clients),
        ]

    def describe_clusters(self) -> list[dict[str, object]]:
        return [{"name": "stub", "pid": os.getpid()}]

    def readiness(self) -> tuple[bool, str]:
        return self.config.clusters[0].name != "absent", "no topology yet: absent"


if __name__ == "__main__":
    main(StubWorker)
