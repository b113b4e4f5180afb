"""SCAN over all shards, one after another; the cursor carries where it stands."""

from __future__ import annotations

from collections.abc import Sequence

from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.parts import Target, ask_primary, is_silence, may_be_partial, primary_of
from rproxy.resp import encode
from rproxy.resp.integer import integer_of
from rproxy.resp.wire import Chunk
from rproxy.routing.scan_cursor import Place, find_place, join_cursor, page, page_of, split_cursor
from rproxy.topology.shard_tags import marks_of
from rproxy.topology.snapshot import Endpoint
from rproxy.upstream.cluster import Cluster
from rproxy.upstream.sink import Sink

INVALID_CURSOR = encode.error("ERR invalid cursor")
_COUNT = 10
"""Redis's default of COUNT."""
_SHARDS_MOST = 16
"""Shards that one page of a SCAN asks, one after the other, at most."""


def scan(command: Command, context: Context, _: Sequence[Target]) -> None:
    """SCAN: one shard after another, always at its primary, since a cursor means nothing to another node."""
    clusters = context.clusters()
    try:
        wanted, own = split_cursor(command.args[1], len(clusters))
    except ValueError:
        command.reply(INVALID_CURSOR)
        return
    targets = targets_by_place(clusters)
    order = sorted(targets)
    found = find_place(order, wanted) if command.args[1].strip(b"0") else (0, True)
    if found is None:
        command.reply(page(0, encode.EMPTY_ARRAY))
        return
    index, is_same = found
    walk = [(place, targets[place]) for place in order[index : index + _SHARDS_MOST + 1]]
    ScanReply(command, context, walk, len(clusters)).ask(0, own if is_same else 0)


class ScanReply(Sink):
    """One page of a SCAN; a token counts the shards it took.

    While it has fewer keys than COUNT, it goes on from a shard that is done to the next one, so that the whole of a
    small data set is one page, as with one server.
    """

    __slots__ = ("_asked", "_clusters", "_command", "_count", "_found", "_keys", "_tolerates", "_walk")

    def __init__(self, command: Command, context: Context, walk: Sequence[tuple[Place, Target]], clusters: int) -> None:
        self._command = command
        self._walk = walk
        self._clusters = clusters
        self._count = _count_of(command.args)
        self._tolerates = may_be_partial(command, context)
        self._asked: Endpoint | None = None
        self._found = 0
        self._keys: list[bytes] = []

    def ask(self, index: int, own: int) -> None:
        """Ask shard ``index`` of the walk."""
        target = self._walk[index][1]
        self._asked = primary_of(target)
        args = [self._command.args[0], b"%d" % own, *self._command.args[2:]]
        ask_primary(self._command, encode.command(args), self, index, target)

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
        """Take the keys of a shard; answer, or go on."""
        reply = bytes(chunk[start:end])
        place, target = self._walk[token]
        try:
            own, keys = page_of(reply)
            header = keys.index(b"\r\n")
            self._found += int(keys[1:header])
            self._keys.append(keys[header + 2 :])
        except ValueError:
            if not (self._tolerates and is_silence(reply)):
                self._fail(place, reply)
                return
            own = 0
        if primary_of(target) != self._asked:
            self._answer(place, 0)
        elif own:
            self._answer(place, own)
        elif token + 1 == len(self._walk):
            self._command.reply(page(0, self._array()))
        elif self._found >= self._count or token + 1 == _SHARDS_MOST:
            self._answer(self._walk[token + 1][0], 0)
        else:
            self.ask(token + 1, 0)

    def _fail(self, place: Place, line: bytes) -> None:
        """Answer the error, unless there are keys to answer first: then the next page begins with it."""
        if self._keys:
            self._answer(place, 0)
        else:
            self._command.reply(line)

    def _answer(self, place: Place, own: int) -> None:
        self._command.reply(page(join_cursor(place, own, self._clusters), self._array()))

    def _array(self) -> bytes:
        return b"*%d\r\n" % self._found + b"".join(self._keys)


def _count_of(args: Sequence[bytes]) -> int:
    """The operand of COUNT; Redis's default where there is none, or none that the node accepts."""
    options = dict(zip(map(bytes.upper, args[2::2]), args[3::2], strict=False))
    try:
        return integer_of(options.get(b"COUNT", b""))
    except ValueError:
        return _COUNT


def targets_by_place(clusters: Sequence[Cluster]) -> dict[Place, Target]:
    """Every shard, by its place in the walk over all of them."""
    targets: dict[Place, Target] = {}
    for number, cluster in enumerate(clusters):
        shards = {cluster.topology.shard_of(slot): slot for slot in cluster.shard_slots()}
        slots = {shard.primary: slot for shard, slot in shards.items() if shard is not None}
        for mark, primary in marks_of(cluster.tags, slots).items():
            targets[Place(number, mark)] = cluster, slots[primary]
    return targets
