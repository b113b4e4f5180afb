"""PUBSUB: who is subscribed to what.

Every node is asked, since subscribers may be at any. The clients of this worker, who upstream are one subscriber, are
counted one by one; those of other workers and proxies as the nodes count them.
"""

from __future__ import annotations

from rproxy.commands.glob import any_of
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.parts import FanOutReply, Finish, heard, may_be_partial
from rproxy.resp import encode
from rproxy.routing.assembler import MISMATCH, elements_of, first_error
from rproxy.upstream.cluster import Cluster
from rproxy.upstream.failure import NO_TOPOLOGY
from rproxy.upstream.request import Request
from rproxy.upstream.subscription import Kind, PushError, Subscription, Topic, strings_of


def channels(command: Command, context: Context) -> bytes | None:
    """PUBSUB CHANNELS | SHARDCHANNELS [pattern]."""
    asked = command.args[1]
    if len(command.args) > 3:
        shown = asked[:128].decode("latin-1")
        return encode.error(f"ERR unknown subcommand or wrong number of arguments for '{shown}'. Try PUBSUB HELP.")
    wanted = any_of(command.args[2:] or [b"*"])
    kind = Kind.SHARD if asked.upper() == b"SHARDCHANNELS" else Kind.CHANNEL
    clusters = _clusters(kind, context)

    def finish(replies: list[bytes]) -> bytes:
        here = [subscription for cluster in clusters for subscription in cluster.subscriptions.topics.of_kind(kind)]
        names = {subscription.topic.name for subscription in here if subscription.clients}
        found = {name for name in names if wanted.fullmatch(name)}
        for reply in replies:
            found.update(strings_of(reply, len(elements_of(reply))))
        return encode.reply(sorted(found))

    return _ask(command, context, clusters, finish)


def subscribers(command: Command, context: Context) -> bytes | None:
    """PUBSUB NUMSUB | SHARDNUMSUB [channel …]."""
    kind = Kind.SHARD if command.args[1].upper() == b"SHARDNUMSUB" else Kind.CHANNEL
    clusters = _clusters(kind, context)
    names = command.args[2:]

    def finish(replies: list[bytes]) -> bytes:
        counts = [map(_number, elements_of(reply)[1::2]) for reply in replies]
        told = [sum(column) for column in zip(*counts, strict=True)]
        topics = [Topic(kind, name) for name in names]
        here = [
            [found for cluster in clusters if (found := cluster.subscriptions.topics.get(topic))] for topic in topics
        ]
        pairs = zip(names, map(_corrected, told, here), strict=True)
        return encode.reply([item for pair in pairs for item in pair])

    return _ask(command, context, clusters, finish) if names else encode.EMPTY_ARRAY


def patterns(command: Command, context: Context) -> bytes | None:
    """PUBSUB NUMPAT: a pattern counts once at every node that it is subscribed to at."""
    clusters = _clusters(Kind.PATTERN, context)

    def finish(replies: list[bytes]) -> bytes:
        here = [
            subscription for cluster in clusters for subscription in cluster.subscriptions.topics.of_kind(Kind.PATTERN)
        ]
        shared = sum(sum(subscription.sources.values()) for subscription in here)
        own = sum(subscription.clients > 0 for subscription in here)
        return encode.integer(max(sum(map(_number, replies)) - shared, 0) + own)

    return _ask(command, context, clusters, finish)


def _corrected(told: int, here: list[Subscription]) -> int:
    """The subscribers that the nodes tell of, with this worker's clients in place of what they share."""
    shared = sum(sum(subscription.sources.values()) for subscription in here)
    return max(told - shared, 0) + sum(subscription.clients for subscription in here)


def _number(reply: bytes) -> int:
    return int(reply[1:-2])


def _clusters(kind: Kind, context: Context) -> list[Cluster]:
    """The clusters at which clients of this listener can be subscribed to topics of a kind."""
    return context.clusters() if kind is Kind.SHARD else [context.keyless_route().cluster]


def _ask(command: Command, context: Context, clusters: list[Cluster], finish: Finish) -> bytes | None:
    """Send the command to every node; the error if that is impossible."""
    unknown = [cluster for cluster in clusters if not cluster.topology.covered]
    if unknown:
        return NO_TOPOLOGY.line(unknown[0].name)
    is_partial = may_be_partial(command, context)
    data, affinity = command.data, command.session.affinity

    def merged(replies: list[bytes]) -> bytes:
        replies = heard(replies) if is_partial else replies
        try:
            return first_error(replies) or finish(replies)
        except (ValueError, PushError):
            return MISMATCH

    primaries = [(cluster, slot) for cluster in clusters for slot in cluster.shard_slots()]
    replicas = [connection for cluster in clusters for connection in cluster.replica_connections(affinity)]
    sink = FanOutReply(command, len(primaries) + len(replicas), merged)
    for index, (cluster, slot) in enumerate(primaries):
        cluster.submit(Request(data, sink, index, None, slot, False, affinity, cluster.turn.now))
    for index, connection in enumerate(replicas, len(primaries)):
        connection.send(data, 0, len(data), sink, index, None, -1, True)
    return None


HANDLERS = {
    b"PUBSUB|CHANNELS": channels,
    b"PUBSUB|SHARDCHANNELS": channels,
    b"PUBSUB|NUMSUB": subscribers,
    b"PUBSUB|SHARDNUMSUB": subscribers,
    b"PUBSUB|NUMPAT": patterns,
}
