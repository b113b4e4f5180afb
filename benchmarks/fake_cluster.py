"""A cluster of many shards from few servers: a seed that names each server in many ways.

``0177.0.0.1`` is 127.0.0.1 too, but to a proxy it is another node. The first shards, one of each server, have nearly
all slots, the others one each: so the topology is as large as that of a large cluster, while the number of nodes that
are spoken to in one loop turn, which costs a system call each, stays the same. The servers are standalone, so all of
them serve whatever slot they are asked for.
"""

from __future__ import annotations

import itertools
import socketserver
import threading
from collections.abc import Sequence
from itertools import islice
from types import TracebackType
from typing import Any, ClassVar, Self

import hiredis

from rproxy.resp import encode

HOST = "127.0.0.1"
SLOTS = 16384
_INFO = b"cluster_state:ok\r\ncluster_current_epoch:1\r\n"


def endpoints(ports: Sequence[int], count: int) -> list[tuple[str, int]]:
    """``count`` names of the servers at ``ports``, in turn: first the plain ones, then 127 in octal with more zeros."""
    hosts = (HOST if zeros == 0 else f"{'0' * zeros}177.0.0.1" for zeros in itertools.count())
    return list(islice(((host, port) for host in hosts for port in ports), count))


def cluster_slots(shards: Sequence[tuple[str, int]], large: int) -> bytes:
    """The reply to CLUSTER SLOTS that gives the first ``large`` shards even parts of the slots, the others one each."""
    shared = SLOTS - (len(shards) - large)
    starts = [shared * index // large for index in range(large)]
    starts += range(shared, SLOTS)
    return encode.array(
        encode.reply([first, after - 1, [host.encode(), port, b"%040d" % first]])
        for first, after, (host, port) in zip(starts, [*starts[1:], SLOTS], shards, strict=True)
    )


class FakeSeed:
    """A node that answers CLUSTER SLOTS and CLUSTER INFO and nothing else; a context manager."""

    def __init__(self, shards: Sequence[tuple[str, int]], large: int) -> None:
        answers = {b"SLOTS": cluster_slots(shards, large), b"INFO": encode.bulk(_INFO)}

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
