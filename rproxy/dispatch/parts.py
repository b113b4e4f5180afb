"""The parts of a command that goes to several shards: sending them, and collecting their replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rproxy.commands.spec import RequestPolicy, ResponsePolicy
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.resp.wire import Chunk
from rproxy.topology.read_policy import ReadPolicy
from rproxy.topology.snapshot import Endpoint
from rproxy.upstream.cluster import Cluster
from rproxy.upstream.failure import UNREACHABLE
from rproxy.upstream.request import Request
from rproxy.upstream.sink import Sink

Finish = Callable[[list[bytes]], bytes]
"""Makes the reply of the command of those of its parts."""
Target = tuple[Cluster, int]
"""A shard to ask: its cluster and one of its slots."""

_SILENT = (b"-CLUSTERDOWN ", b"-ERR upstream ", b"-LOADING ", b"-MASTERDOWN ")
"""How the replies begin that stand for a shard that could not answer."""


class Parts(Sink):
    """The sink of the parts of one command (a token is a part's index): calls ``finish`` when the last has come."""

    __slots__ = ("_finish", "_missing", "_replies")

    def __init__(self, parts: int, finish: Callable[[list[bytes]], None]) -> None:
        self._replies = [b""] * parts
        self._missing = parts
        self._finish = finish

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
        """Take the reply of part ``token``."""
        self._replies[token] = bytes(chunk[start:end])
        self._missing -= 1
        if self._missing == 0:
            self._finish(self._replies)


class FanOutReply(Parts):
    """Parts whose replies become the reply of ``command``."""

    __slots__ = ("_session",)

    def __init__(self, command: Command, parts: int, finish: Finish) -> None:
        Parts.__init__(self, parts, lambda replies: command.reply(finish(replies)))
        self._session = command.session

    def affinity(self) -> int:
        """That of the client's session."""
        return self._session.affinity


def shards_of(context: Context) -> list[Target]:
    """Every shard of the listener's clusters, in a stable order."""
    return [(cluster, slot) for cluster in context.clusters() for slot in cluster.shard_slots()]


def primary_of(target: Target) -> Endpoint | None:
    """The node that answers for ``target`` now."""
    cluster, slot = target
    shard = cluster.topology.shard_of(slot)
    return shard.primary if shard is not None else None


def send_to_all(command: Command, context: Context, targets: Sequence[Target], finish: Finish) -> None:
    """Send the command's bytes to all ``targets``, and to their replicas too where the command acts on nodes.

    Where partial answers are allowed, ``finish`` gets the replies of those that answered, if any did.
    """
    send_parts(command, context, targets, lambda replies: command.reply(finish(replies)))


def send_parts(
    command: Command, context: Context, targets: Sequence[Target], finish: Callable[[list[bytes]], None]
) -> None:
    """``send_to_all`` for a command that has more to do when the replies are there, before it is answered."""
    clusters = context.clusters() if command.spec.request_policy is RequestPolicy.ALL_NODES else []
    affinity = command.session.affinity
    replicas = [connection for cluster in clusters for connection in cluster.replica_connections(affinity)]
    is_partial = may_be_partial(command, context)

    def finish_heard(replies: list[bytes]) -> None:
        finish(heard(replies) if is_partial else replies)

    sink = Parts(len(targets) + len(replicas), finish_heard)
    for index, (cluster, slot) in enumerate(targets):
        if is_partial and cluster.is_down(slot):
            line = UNREACHABLE.line(cluster.name, "its primary is down")
            sink.deliver(index, line, 0, len(line))
        else:
            send_one(command, sink, index, cluster, slot)
    for index, connection in enumerate(replicas, len(targets)):
        connection.send(command.data, 0, len(command.data), sink, index, None, -1, True)


def send_one(command: Command, sink: Sink, token: int, cluster: Cluster, slot: int) -> None:
    """Send ``command`` to the shard that serves ``slot``."""
    stats = cluster.stats_of(command.spec) if token == 0 else None
    affinity = command.session.affinity
    cluster.submit(Request(command.data, sink, token, stats, slot, command.spec.is_read, affinity, cluster.turn.now))


def ask_primary(command: Command, data: bytes, sink: Sink, token: int, target: Target) -> None:
    """Send the question ``data``, which changes nothing, to the primary of a shard whatever the read policy."""
    cluster, slot = target
    may_repeat = cluster.read_policy is ReadPolicy.PRIMARY
    cluster.submit(Request(data, sink, token, None, slot, may_repeat, command.session.affinity, cluster.turn.now))


def may_be_partial(command: Command, context: Context) -> bool:
    """Whether the answer may leave out shards that do not answer: never where something is changed on all."""
    spec = command.spec
    is_change = spec.is_write or spec.response_policy is ResponsePolicy.ALL_SUCCEEDED
    return context.settings.fan_out_partial and not is_change


def heard(replies: list[bytes]) -> list[bytes]:
    """The replies of shards that could answer; all of them if none could."""
    return [reply for reply in replies if not is_silence(reply)] or replies


def is_silence(reply: bytes) -> bool:
    """Whether a reply only says that its shard could not answer."""
    return reply.startswith(_SILENT)
