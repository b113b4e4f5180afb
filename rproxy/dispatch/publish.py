"""PUBLISH and SPUBLISH: where a message goes, and how many clients are said to get it.

Upstream, all clients of a worker are one subscriber. What a node answers is so corrected by what this worker knows: all
clients of rproxy are counted one by one, those of other proxies as the node counts them.
"""

from __future__ import annotations

from collections.abc import Callable

from rproxy.dispatch.command import Command
from rproxy.dispatch.placement import Place
from rproxy.resp import encode
from rproxy.resp.wire import Chunk
from rproxy.upstream.sink import Sink
from rproxy.upstream.subscription import Kind, Topic
from rproxy.upstream.subscriptions import Subscriptions


class _Receivers(Sink):
    """Corrects the number of receivers that the primary of ``slot`` answers, on its way to another sink."""

    __slots__ = ("_sink", "_slot", "_subscriptions", "_topic")

    def __init__(self, sink: Sink, subscriptions: Subscriptions, topic: Topic, slot: int) -> None:
        self._sink = sink
        self._subscriptions = subscriptions
        self._topic = topic
        self._slot = slot

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
        """Take the node's answer: a number, or an error."""
        reply = bytes(chunk[start:end])
        if reply.startswith(b":"):
            reply = encode.integer(self._corrected(int(reply[1:-2])))
        self._sink.deliver(token, reply, 0, len(reply))

    def _corrected(self, count: int) -> int:
        subscriptions, topic = self._subscriptions, self._topic
        heard = subscriptions.topics.by_which_is_heard(topic)
        shard = subscriptions.cluster.topology.shard_of(self._slot) if self._slot >= 0 else None
        if shard is not None:
            count -= sum(subscription.sources.get(shard.primary, False) for subscription in heard)
            if subscriptions.elsewhere:
                count += subscriptions.elsewhere.uncounted(topic, str(shard.primary))
        return max(count, 0) + sum(subscription.clients for subscription in heard)


def publish(command: Command, place: Place, send: Callable[[Place], None]) -> None:
    """Have a command that publishes sent where it belongs, and its reply corrected.

    A worker publishes at one node, that it listens to as well: so the messages of one client keep their order. Clients
    of this worker that asked for it before get it too, as one server would have it: it waits until they listen.
    """
    route, slot = place
    subscriptions, session = route.cluster.subscriptions, command.session
    topic = Topic(Kind.CHANNEL if slot < 0 else Kind.SHARD, command.args[1])

    def send_now() -> None:
        home = subscriptions.home_slot() if slot < 0 else slot
        command.sink = _Receivers(command.sink, subscriptions, topic, home)
        send(Place(route, home))

    def send_at_last() -> None:
        send_now()
        session.release()

    if subscriptions.expected.holds(topic, send_at_last):
        session.hold()
    else:
        send_now()
