"""A cluster of many shards from few servers: a seed that names each server at many addresses of loopback.

A proxy takes every address for a node and connects to it, so it keeps as many connections as the cluster has shards.
The servers are standalone, so all of them serve whatever slot they are asked for.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, ClassVar, Self

import hiredis

from rproxy.demo.redis_process import find_redis_server, version_of
from rproxy.errors import StartError
from rproxy.resp import encode

HOST = "127.0.0.1"
SLOTS = 16384
ON_EVERY_ADDRESS = ("--bind", "0.0.0.0")
"""What a server is started with. Redis 7's protected mode lets only loopback in."""
_ADDRESSES = range(1, 255)
_INFO = b"cluster_state:ok\r\ncluster_current_epoch:1\r\n"


def check_protected() -> None:
    """Raise ``StartError`` if ``ON_EVERY_ADDRESS`` would open a server to the network."""
    if version_of(find_redis_server()) < (7, 0):
        raise StartError("a topology of 100 shards needs redis-server 7: an older one would be open to the network")


def endpoints(ports: Sequence[int], count: int) -> list[tuple[str, int]]:
    """``count`` addresses of the servers at ``ports``, in turn."""
    every = ((f"127.0.0.{last}", port) for last in _ADDRESSES for port in ports)
    return list(islice(every, count))


def cluster_slots(shards: Sequence[tuple[str, int]]) -> bytes:
    """The reply to CLUSTER SLOTS that gives each of ``shards`` an equal part of the slots."""

    def entries() -> Iterator[bytes]:
        for index, (host, port) in enumerate(shards):
            first, last = SLOTS * index // len(shards), SLOTS * (index + 1) // len(shards) - 1
            yield encode.reply([first, last, [host.encode(), port, b"%040d" % index]])

    return encode.array(entries())


class FakeSeed:
    """A node that answers CLUSTER SLOTS and CLUSTER INFO and nothing else; a context manager."""

    def __init__(self, shards: Sequence[tuple[str, int]]) -> None:
        answers = {b"SLOTS": cluster_slots(shards), b"INFO": encode.bulk(_INFO)}

        class Handler(_Handler):
            replies = answers

        self._server = _Server((HOST, 0), Handler)
        self.port: int = self._server.server_address[1]

    @property
    def address(self) -> str:
        """``127.0.0.1:PORT``."""
        return f"{HOST}:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


class _Handler(socketserver.BaseRequestHandler):
    replies: ClassVar[dict[bytes, bytes]] = {}

    def handle(self) -> None:
        reader = hiredis.Reader()
        while received := self.request.recv(4096):
            reader.feed(received)
            for command in iter(reader.gets, False):
                self.request.sendall(self._answer(command))

    def _answer(self, command: list[Any]) -> bytes:
        if command[0].upper() == b"CLUSTER" and len(command) > 1:
            return self.replies.get(command[1].upper(), _UNKNOWN)
        return _UNKNOWN


_UNKNOWN = encode.error("ERR this node only knows its cluster")
