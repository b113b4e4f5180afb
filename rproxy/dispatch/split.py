"""Commands whose keys lie in several slots: one fragment per slot, and one reply assembled from theirs.

Redis Cluster refuses a cross-slot command even inside one shard, so the slot is what a command is split by; fragments
for one endpoint leave in one write (their outbox).
"""

from __future__ import annotations

from rproxy.commands.spec import CommandSpec
from rproxy.metrics.counters import CommandStats
from rproxy.resp.wire import Chunk, RequestScanner
from rproxy.routing.assembler import assemble
from rproxy.transport.connection import Turn
from rproxy.transport.outbox import Outbox
from rproxy.upstream.cluster import Cluster
from rproxy.upstream.request import Request
from rproxy.upstream.sink import Sink

Fragment = tuple[int, list[int]]
"""``(slot, positions of its keys in the command)``."""


class SplitReply(Sink):
    """The sink of a split command's fragments (a token is a fragment's index): assembles when the last has come."""

    __slots__ = ("_fragments", "_missing", "_parts", "_policy", "_sink", "_started", "_stats", "_token", "_turn")

    def __init__(
        self,
        spec: CommandSpec,
        fragments: list[Fragment],
        sink: Sink,
        token: int,
        stats: CommandStats | None,
        turn: Turn,
    ) -> None:
        self._policy = spec.response_policy
        self._fragments = fragments
        self._parts: list[bytes] = [b""] * len(fragments)
        self._missing = len(fragments)
        self._sink = sink
        self._token = token
        self._stats = stats
        self._turn = turn
        self._started = turn.now

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
        """Take the reply of fragment ``token``."""
        self._parts[token] = bytes(chunk[start:end])
        self._missing -= 1
        if self._missing:
            return
        reply = assemble(self._policy, [positions for _, positions in self._fragments], self._parts)
        if self._stats is not None:
            self._stats.record(reply.startswith(b"-"), self._turn.now - self._started)
        self._sink.deliver(self._token, reply, 0, len(reply))


def fragments_of(spec: CommandSpec, scanner: RequestScanner) -> list[Fragment]:
    """The scanned command's keys by slot, in the order in which the slots first appear."""
    by_slot: dict[int, list[int]] = {}
    step = spec.key_step
    position = spec.first_key
    last = spec.last_key_of(scanner.argc)
    while position <= last:
        slot = scanner.slot(position)
        positions = by_slot.get(slot)
        if positions is None:
            by_slot[slot] = [position]
        else:
            positions.append(position)
        position += step
    return list(by_slot.items())


def send_fragments(
    cluster: Cluster, spec: CommandSpec, scanner: RequestScanner, fragments: list[Fragment], sink: Sink, affinity: int
) -> None:
    """Send each fragment of the scanned command to the endpoint of its slot, its index as token.

    A fragment is the command's name and, for each of its keys, the key and the arguments up to the next one.
    """
    width = spec.key_step
    is_read = spec.is_read
    for index, (slot, positions) in enumerate(fragments):
        header = b"*%d\r\n$%d\r\n%b\r\n" % (1 + len(positions) * width, len(spec.name), spec.name)
        connection = cluster.connection_for(slot, is_read, affinity)
        outbox = connection.outbox if connection is not None else Outbox()
        before = outbox.size()
        outbox.write(header)
        for position in positions:
            outbox.append(scanner.chunk, scanner.raw_start(position), scanner.raw_end(position + width - 1))
        size = outbox.size() - before
        if connection is not None:
            connection.enlist(sink, index, None, size, cluster.turn.now, slot, is_read, 0)
        else:
            request = Request(outbox.take(), sink, index, None, slot, is_read, affinity, cluster.turn.now)
            cluster.submit(request)
