"""Commands that go to every shard, or to every node, and come back as one reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rproxy.commands.spec import RequestPolicy
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.resp import encode
from rproxy.resp.wire import Chunk
from rproxy.routing.assembler import first_error, merge
from rproxy.routing.scan_cursor import SHARD_LIMIT, join_cursor, split_cursor
from rproxy.upstream.cluster import Cluster
from rproxy.upstream.failure import NO_TOPOLOGY
from rproxy.upstream.request import Request
from rproxy.upstream.sink import Sink

Finish = Callable[[list[bytes]], bytes]
Target = tuple[Cluster, int]
"""A shard to ask: its cluster and one of its slots."""

INVALID_CURSOR = encode.error("ERR invalid cursor")


class FanOutReply(Sink):
    """The sink of the parts of one command (a token is a part's index): finishes when the last has come."""

    __slots__ = ("_command", "_finish", "_missing", "_parts")

    def __init__(self, command: Command, parts: int, finish: Finish) -> None:
        self._command = command
        self._parts = [b""] * parts
        self._missing = parts
        self._finish = finish

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
        """Take the reply of part ``token``."""
        self._parts[token] = bytes(chunk[start:end])
        self._missing -= 1
        if self._missing == 0:
            self._command.reply(self._finish(self._parts))


def fan_out(command: Command, context: Context) -> None:
    """Send ``command`` to all shards (or nodes) of the listener's clusters and answer with the merged reply."""
    special = SPECIAL.get(command.spec.name)
    targets = shards_of(context)
    unknown = [cluster for cluster in context.clusters() if not cluster.topology.covered]
    if unknown:
        command.reply(NO_TOPOLOGY.line(unknown[0].name))
    elif special is not None:
        special(command, context, targets)
    else:
        policy = command.spec.response_policy
        send_to_all(command, context, targets, lambda replies: merge(policy, replies))
        if command.spec.is_write:
            copy_to_mirrors(command, context)


def copy_to_mirrors(command: Command, context: Context) -> None:
    """Copy a command to every shard of the mirrors that want it."""
    for mirror in context.mirrors():
        if mirror.wants(command.spec):
            for slot in mirror.cluster.shard_slots():
                mirror.copy(command.spec, command.data, 0, len(command.data), slot)


def shards_of(context: Context) -> list[Target]:
    """Every shard of the listener's clusters, in a stable order."""
    return [(cluster, slot) for cluster in context.clusters() for slot in cluster.shard_slots()]


def send_to_all(command: Command, context: Context, targets: Sequence[Target], finish: Finish) -> None:
    """Send the same bytes to all ``targets``, and to their replicas too where the command acts on nodes."""
    clusters = context.clusters() if command.spec.request_policy is RequestPolicy.ALL_NODES else []
    affinity = command.session.affinity
    replicas = [connection for cluster in clusters for connection in cluster.replica_connections(affinity)]
    sink = FanOutReply(command, len(targets) + len(replicas), finish)
    for index, (cluster, slot) in enumerate(targets):
        send_one(command, sink, index, cluster, slot)
    for index, connection in enumerate(replicas, len(targets)):
        connection.send(command.data, 0, len(command.data), sink, index, None, -1, True)


def send_one(command: Command, sink: Sink, token: int, cluster: Cluster, slot: int) -> None:
    """Send ``command`` to the shard that serves ``slot``."""
    stats = cluster.stats_of(command.spec) if token == 0 else None
    affinity = command.session.affinity
    cluster.submit(Request(command.data, sink, token, stats, slot, command.spec.is_read, affinity, cluster.turn.now))


def random_key(command: Command, context: Context, targets: Sequence[Target]) -> None:
    """RANDOMKEY: asks every shard and takes one of the keys; nil only if all are empty."""

    def finish(replies: list[bytes]) -> bytes:
        keys = [reply for reply in replies if reply.startswith(b"$") and reply != encode.NULL]
        if keys:
            return keys[int(targets[0][0].draw() * len(keys))]
        return first_error(replies) or encode.reply(None, command.session.protocol)

    send_to_all(command, context, targets, finish)


def scan(command: Command, context: Context, targets: Sequence[Target]) -> None:
    """SCAN: one shard after another; the cursor carries which."""
    try:
        shard, cursor = split_cursor(command.args[1])
    except ValueError:
        command.reply(INVALID_CURSOR)
        return
    if shard >= min(len(targets), SHARD_LIMIT):
        command.reply(b"*2\r\n$1\r\n0\r\n*0\r\n")
        return
    command.args[1] = cursor
    command.data = encode.command(command.args)

    def finish(replies: list[bytes]) -> bytes:
        return join_cursor(replies[0], shard, len(targets))

    send_one(command, FanOutReply(command, 1, finish), 0, *targets[shard])


SPECIAL: dict[bytes, Callable[[Command, Context, Sequence[Target]], None]] = {b"RANDOMKEY": random_key, b"SCAN": scan}
"""Commands whose way or whose reply no policy describes."""
