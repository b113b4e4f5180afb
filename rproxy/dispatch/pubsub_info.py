"""PUBSUB: who is subscribed to what.

Every node is asked, since subscribers may be at any, and every worker: its clients share one subscription upstream, and
are counted one by one. Those of other proxies are counted as the nodes do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rproxy.commands.glob import any_of
from rproxy.dispatch.command import Command, wrong_usage
from rproxy.dispatch.context import Context
from rproxy.dispatch.crew import Answers
from rproxy.dispatch.parts import Parts, heard, may_be_partial
from rproxy.resp import encode
from rproxy.routing.assembler import MISMATCH, elements_of, first_error
from rproxy.upstream.cluster import Cluster
from rproxy.upstream.failure import NO_TOPOLOGY
from rproxy.upstream.request import Request
from rproxy.upstream.subscription import Kind, PushError, Subscription, Topic, strings_of

Finish = Callable[[list[bytes], Answers], bytes]
"""Makes the reply of those of the nodes and of the answers of the workers."""


# -- what every worker knows


def channels_here(argument: Any, context: Context) -> list[str]:
    """The channels of the kind that have clients here and match the pattern."""
    kind, pattern = Kind[argument[0]], any_of([argument[1].encode("latin-1")])
    here = [subscription.topic.name for subscription in _of_kind(kind, context) if subscription.clients]
    return [name.decode("latin-1") for name in here if pattern.fullmatch(name)]


def counts_here(argument: Any, context: Context) -> list[list[int]]:
    """For each of the channels of the kind: its clients here, and how often the nodes count them as one."""
    kind = Kind[argument[0]]
    topics = [Topic(kind, name.encode("latin-1")) for name in argument[1]]
    indexes = [cluster.subscriptions.topics for cluster in _clusters(kind, context)]
    return [_counts([found for index in indexes if (found := index.get(topic))]) for topic in topics]


def patterns_here(argument: Any, context: Context) -> list[Any]:
    """The patterns that have clients here, and how many the nodes count for them."""
    here = _of_kind(Kind.PATTERN, context)
    names = [subscription.topic.name.decode("latin-1") for subscription in here if subscription.clients]
    return [names, _counts(here)[1]]


def _counts(subscriptions: list[Subscription]) -> list[int]:
    clients = sum(subscription.clients for subscription in subscriptions)
    return [clients, sum(sum(map(subscription.comes_from, subscription.sources)) for subscription in subscriptions)]


def _of_kind(kind: Kind, context: Context) -> list[Subscription]:
    clusters = _clusters(kind, context)
    return [subscription for cluster in clusters for subscription in cluster.subscriptions.topics.of_kind(kind)]


def _clusters(kind: Kind, context: Context) -> list[Cluster]:
    """The clusters at which clients of this listener can be subscribed to topics of a kind."""
    return context.clusters() if kind is Kind.SHARD else [context.keyless_route().cluster]


# -- the commands


def channels(command: Command, context: Context) -> bytes | None:
    """PUBSUB CHANNELS | SHARDCHANNELS [pattern]."""
    if len(command.args) > 3:
        return wrong_usage(command)
    kind = Kind.SHARD if command.args[1].upper() == b"SHARDCHANNELS" else Kind.CHANNEL
    pattern = command.args[2] if len(command.args) == 3 else b"*"

    def finish(replies: list[bytes], answers: Answers) -> bytes:
        found = {name.encode("latin-1") for answer in answers for name in answer}
        for reply in replies:
            found.update(strings_of(reply, len(elements_of(reply))))
        return encode.reply(sorted(found))

    return _ask(command, context, kind, "pubsub_channels", [kind.name, pattern.decode("latin-1")], finish)


def subscribers(command: Command, context: Context) -> bytes | None:
    """PUBSUB NUMSUB | SHARDNUMSUB [channel …]."""
    kind = Kind.SHARD if command.args[1].upper() == b"SHARDNUMSUB" else Kind.CHANNEL
    names = command.args[2:]
    if not names:
        return encode.EMPTY_ARRAY

    def finish(replies: list[bytes], answers: Answers) -> bytes:
        columns = zip(*(map(_number, elements_of(reply)[1::2]) for reply in replies), strict=True)
        told = [sum(column) for column in columns]
        here = [[sum(counts) for counts in zip(*of_name, strict=True)] for of_name in zip(*answers, strict=True)]
        pairs = zip(names, told, here, strict=True)
        return encode.reply([item for name, all_, own in pairs for item in (name, max(all_ - own[1], 0) + own[0])])

    return _ask(
        command, context, kind, "pubsub_counts", [kind.name, [name.decode("latin-1") for name in names]], finish
    )


def patterns(command: Command, context: Context) -> bytes | None:
    """PUBSUB NUMPAT: patterns of subscribers that are not rproxy's count once at every node."""

    def finish(replies: list[bytes], answers: Answers) -> bytes:
        own = {name for names, _ in answers for name in names}
        shared = sum(shared for _, shared in answers)
        return encode.integer(max(sum(map(_number, replies)) - shared, 0) + len(own))

    return _ask(command, context, Kind.PATTERN, "pubsub_patterns", None, finish)


def _number(reply: bytes) -> int:
    return int(reply[1:-2])


def _ask(command: Command, context: Context, kind: Kind, question: str, argument: Any, finish: Finish) -> bytes | None:
    """Send the command to every node, then put the question to every worker; the error if that is impossible."""
    clusters = _clusters(kind, context)
    unknown = [cluster for cluster in clusters if not cluster.topology.covered]
    if unknown:
        return NO_TOPOLOGY.line(unknown[0].name)
    is_partial = may_be_partial(command, context)

    def on_replies(replies: list[bytes]) -> None:
        replies = heard(replies) if is_partial else replies
        error = first_error(replies)
        if error is not None:
            command.reply(error)
        else:
            context.crew.ask(question, argument, lambda answers: command.reply(_finished(finish, replies, answers)))

    _ask_nodes(command, clusters, on_replies)
    return None


def _finished(finish: Finish, replies: list[bytes], answers: Answers) -> bytes:
    try:
        return finish(replies, answers)
    except (ValueError, PushError):
        return MISMATCH


def _ask_nodes(command: Command, clusters: list[Cluster], on_replies: Callable[[list[bytes]], None]) -> None:
    data, affinity = command.data, command.session.affinity
    primaries = [(cluster, slot) for cluster in clusters for slot in cluster.shard_slots()]
    replicas = [connection for cluster in clusters for connection in cluster.replica_connections(affinity)]
    sink = Parts(len(primaries) + len(replicas), on_replies)
    for index, (cluster, slot) in enumerate(primaries):
        cluster.submit(Request(data, sink, index, None, slot, False, affinity, cluster.turn.now))
    for index, connection in enumerate(replicas, len(primaries)):
        connection.send(data, 0, len(data), sink, index, None, -1, True)


HANDLERS = {
    b"PUBSUB|CHANNELS": channels,
    b"PUBSUB|SHARDCHANNELS": channels,
    b"PUBSUB|NUMSUB": subscribers,
    b"PUBSUB|SHARDNUMSUB": subscribers,
    b"PUBSUB|NUMPAT": patterns,
}
QUESTIONS = {
    "pubsub_channels": channels_here,
    "pubsub_counts": counts_here,
    "pubsub_patterns": patterns_here,
}
