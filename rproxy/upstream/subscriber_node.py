"""One endpoint as a source of messages: its subscriber connection, opened while there are topics and after a loss."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from rproxy.topology.snapshot import Endpoint
from rproxy.transport.attach import attach
from rproxy.upstream.dial import DialError, dial, handshake
from rproxy.upstream.pool import BACKOFF_FIRST, BACKOFF_MOST
from rproxy.upstream.subscriber_connection import SubscriberConnection
from rproxy.upstream.subscription import Topic

if TYPE_CHECKING:
    from rproxy.upstream.subscriptions import Subscriptions

_PING_AFTER = 1.0
"""Seconds of silence after which a node is asked to say something; it has as long as a request to do so."""
_LINGER = 5.0
"""Seconds that a connection without topics is kept."""

log = logging.getLogger("rproxy.subscriptions")


class SubscriberNode:
    """``topics`` are those that should come from this endpoint. ``failure`` says why it cannot be used, if so."""

    __slots__ = (
        "_cluster",
        "_connection",
        "_dialling",
        "_down_until",
        "_failures",
        "_idle_since",
        "_refused",
        "_subscriptions",
        "endpoint",
        "failure",
        "topics",
    )

    def __init__(self, subscriptions: Subscriptions, endpoint: Endpoint) -> None:
        self._subscriptions = subscriptions
        self._cluster = subscriptions.cluster
        self.endpoint = endpoint
        self.topics: dict[Topic, None] = {}
        self.failure = ""
        self._connection: SubscriberConnection | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._failures = 0
        self._down_until = 0.0
        self._idle_since = 0.0
        self._refused: list[tuple[float, Topic]] = []

    def want(self, topic: Topic) -> None:
        """Have the messages of ``topic`` come from here."""
        self.topics[topic] = None
        if self._connection is not None:
            self._connection.subscribe(topic)
        else:
            self._open(self._cluster.turn.now)

    def drop(self, topic: Topic) -> None:
        """Have them come from here no more."""
        if topic not in self.topics:
            return
        del self.topics[topic]
        if self._connection is not None:
            self._connection.unsubscribe(topic)
        if not self.topics:
            self._idle_since = self._cluster.turn.now

    def ask_later(self, topic: Topic, delay: float) -> None:
        """Subscribe to a topic once more, which the node has refused, when ``delay`` seconds have passed."""
        self._refused.append((self._cluster.turn.tick() + delay, topic))

    def _ask_again(self, topic: Topic) -> None:
        if topic in self.topics and self._connection is not None:
            self._connection.subscribe(topic)

    def _open(self, now: float) -> None:
        if self._dialling is None and now >= self._down_until:
            self._dialling = self._cluster.turn.loop.create_task(self._dial())

    async def _dial(self) -> None:
        cluster = self._cluster
        settings = cluster.settings
        try:
            commands = handshake(settings, self.endpoint)
            opened = await dial(self.endpoint, commands, settings.connect_timeout, cluster.tls)
            connection = SubscriberConnection(self, cluster.turn, cluster.traffic)
            await attach(cluster.turn, opened, connection)
        except DialError as error:
            cluster.traffic.failed += 1
            self._back_off(str(error))
            return
        finally:
            self._dialling = None
        if not connection.is_open:
            self._back_off("closed by the node")
            return
        self._connection = connection
        cluster.traffic.opened += 1
        cluster.traffic.active += 1
        self._idle_since = connection.heard_at = cluster.turn.tick()
        self._refused.clear()
        for topic in self.topics:
            connection.subscribe(topic)

    def _back_off(self, reason: str) -> None:
        backoff = min(BACKOFF_FIRST * 2 ** min(self._failures, 10), BACKOFF_MOST)
        self._failures += 1
        self._down_until = self._cluster.turn.tick() + backoff * (0.5 + self._cluster.draw() / 2)
        self.failure = reason
        self._subscriptions.on_node_failed(self)

    def tick(self, now: float) -> bool:
        """The janitor's round: open, ask for a sign of life, give up; true if the node is of no more use."""
        connection = self._connection
        if connection is None:
            if self.topics:
                self._open(now)
            return not self.topics and self._dialling is None
        due = [topic for when, topic in self._refused if when <= now]
        self._refused = [entry for entry in self._refused if entry[0] > now]
        for topic in due:
            self._ask_again(topic)
        silence = now - connection.heard_at
        if not self.topics and now - self._idle_since > _LINGER:
            self.close()
            return True
        if silence > _PING_AFTER + self._cluster.op_timeout:
            connection.on_lost("silent")
        elif silence > _PING_AFTER and not connection.is_pinged:
            connection.ping()
        return False

    def close(self) -> None:
        """Close the connection, or end the attempt to open one."""
        if self._dialling is not None:
            self._dialling.cancel()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._cluster.traffic.active -= 1

    # -- what the connection tells

    def on_message(self, topic: Topic, channel: bytes, push: bytes) -> None:
        """A message came on ``channel``."""
        self._subscriptions.on_message(self.endpoint, topic, channel, push)

    def on_subscribed(self, topic: Topic) -> None:
        """The node has confirmed a topic."""
        self._failures = 0
        self.failure = ""
        if topic in self.topics:
            self._subscriptions.on_subscribed(self.endpoint, topic)

    def on_refused(self, topic: Topic, line: bytes) -> None:
        """The node answered a subscription with an error."""
        if topic in self.topics:
            self._subscriptions.on_refused(self, topic, line)

    def on_taken_away(self, topic: Topic) -> None:
        """The node ended a subscription: whoever it asks next will hear where its slot is now."""
        if topic in self.topics:
            self._subscriptions.on_taken_away(self.endpoint, topic)
            self._ask_again(topic)

    def on_failed(self, connection: SubscriberConnection, reason: str) -> None:
        """The connection is closed."""
        if connection is self._connection:
            if self.topics:
                log.warning("cluster %s: lost the subscriptions at %s: %s", self._cluster.name, self.endpoint, reason)
            self._connection = None
            self._cluster.traffic.active -= 1
            self._back_off(reason)
