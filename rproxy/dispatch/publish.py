"""PUBLISH and SPUBLISH: where a message goes, and how many clients are said to get it.

Upstream, all clients of a worker are one subscriber. What a node answers is so corrected by what this worker knows: all
clients of rproxy are counted one by one, those of other proxies as the node counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rproxy.dispatch.command import Command
from rproxy.dispatch.placement import Place
from rproxy.dispatch.session import Session
from rproxy.resp import encode
from rproxy.resp.wire import Chunk
from rproxy.upstream.sink import Sink
from rproxy.upstream.subscription import Kind, Topic
from rproxy.upstream.subscriptions import Subscriptions

_KINDS = {b"PUBLISH": Kind.CHANNEL, b"SPUBLISH": Kind.SHARD}


def topic_of(command: Command) -> Topic | None:
    """What a command publishes to, ``None`` if it does not publish."""
    kind = _KINDS.get(command.spec.name)
    return Topic(kind, command.args[1]) if kind is not None else None


def corrected(reply: bytes, topic: Topic, subscriptions: Subscriptions, slot: int) -> bytes:
    """The number of receivers, or the error, that the primary of ``slot`` answers, as the client gets it."""
    if not reply.startswith(b":"):
        return reply
    count = int(reply[1:-2])
    heard = subscriptions.topics.by_which_is_heard(topic)
    shard = subscriptions.cluster.topology.shard_of(slot) if slot >= 0 else None
    if shard is not None:
        count -= sum(subscription.comes_from(shard.primary) for subscription in heard)
        if subscriptions.elsewhere:
            count += subscriptions.elsewhere.uncounted(topic, str(shard.primary))
    return encode.integer(max(count, 0) + sum(subscription.clients for subscription in heard))


class _Receivers(Sink):
    """Corrects what the primary of ``slot`` answers, on its way to another sink."""

    __slots__ = ("_sink", "_slot", "_subscriptions", "_topic")

    def __init__(self, sink: Sink, subscriptions: Subscriptions, topic: Topic, slot: int) -> None:
        self._sink = sink
        self._subscriptions = subscriptions
        self._topic = topic
        self._slot = slot

    def affinity(self) -> int:
        """That of the client's session."""
        return self._sink.affinity()

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
        """Take the node's answer."""
        reply = corrected(bytes(chunk[start:end]), self._topic, self._subscriptions, self._slot)
        self._sink.deliver(token, reply, 0, len(reply))


def publish(command: Command, topic: Topic, place: Place, send: Callable[[Place], None]) -> None:
    """Have a command that publishes sent where it belongs, and its reply corrected.

    A worker publishes at one node, that it listens to as well: so the messages of one client keep their order.
    """
    subscriptions = place.route.cluster.subscriptions

    def send_now() -> None:
        home = home_of(place)
        command.sink = _Receivers(command.sink, subscriptions, topic, home.slot)
        send(home)

    when_heard(command.session, subscriptions, [topic], send_now)


def home_of(place: Place) -> Place:
    """Where to publish at: ``place`` if it has a slot."""
    return place if place.slot >= 0 else Place(place.route, place.route.cluster.subscriptions.home_slot())


def when_heard(
    session: Session, subscriptions: Subscriptions, topics: Sequence[Topic], then: Callable[[], None]
) -> None:
    """Call ``then`` once the clients of this worker listen that asked before: as one server has it, they get it too.

    The session is held meanwhile, unless it is already: then that ends otherwise.
    """
    was_held = session.is_held

    def go_on() -> None:
        then()
        if not was_held:
            session.release()

    if not subscriptions.expected.holds(topics, go_on):
        then()
    elif not was_held:
        session.hold()
