"""A connection in subscriber mode: what was asked for, and what the node pushes.

It speaks RESP2, where pushes look alike in every release of Redis and nothing else is said in subscriber mode.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Protocol

from rproxy.resp import encode
from rproxy.resp.wire import Chunk, ReplyScanner
from rproxy.topology.redirection import RedirectionKind, classify
from rproxy.topology.slots import hash_slot
from rproxy.topology.snapshot import Endpoint
from rproxy.transport.connection import Connection, Traffic, Turn
from rproxy.transport.outbox import Outbox
from rproxy.transport.phase import Phase
from rproxy.upstream.subscription import Kind, PushError, Topic, strings_of

_PING = b"ping"
_PONG = b"pong"
_ELSEWHERE = Endpoint("", 0)

_MESSAGES = {kind.message: kind for kind in Kind}
_SUBSCRIBED = {kind.subscribe: kind for kind in Kind}
_CONFIRMED = {verb: kind for kind in Kind for verb in (kind.subscribe, kind.unsubscribe)}


class Hub(Protocol):
    """Whom a subscriber connection tells."""

    def on_message(self, topic: Topic, channel: bytes, push: bytes) -> None:
        """A message came on ``channel``."""

    def on_subscribed(self, topic: Topic) -> None:
        """The node has confirmed, and nothing else about the topic is on its way to it."""

    def on_refused(self, topic: Topic, line: bytes) -> None:
        """The node answered the subscription with an error."""

    def on_taken_away(self, topic: Topic) -> None:
        """The node ended the subscription by itself: the slot of a sharded channel has moved."""

    def on_failed(self, connection: SubscriberConnection, reason: str) -> None:
        """The connection is closed."""


class SubscriberConnection(Connection):
    """Commands are answered in their order, each names one topic; ``heard_at`` is when the node last said something."""

    __slots__ = ("_asked", "_hub", "_pending", "_replies", "heard_at", "is_open", "is_pinged")

    def __init__(self, hub: Hub, turn: Turn, traffic: Traffic) -> None:
        Connection.__init__(self, turn, traffic, True)
        self.outbox = Outbox()  # nothing is sent again from here
        self._hub = hub
        self._replies = ReplyScanner()
        self._pending: deque[tuple[bytes, Topic | None]] = deque()
        self._asked: Counter[Topic] = Counter()
        self.heard_at = turn.now
        self.is_pinged = False
        self.is_open = True

    @property
    def phase(self) -> Phase:
        """Where it is in its life (``transport.phase.SUBSCRIBER``)."""
        return Phase.OPEN if self.is_open else Phase.CLOSED

    def subscribe(self, topic: Topic) -> None:
        """Ask for the topic."""
        self._ask(topic.kind.subscribe, topic)

    def unsubscribe(self, topic: Topic) -> None:
        """Ask for the topic no more."""
        self._ask(topic.kind.unsubscribe, topic)

    def _ask(self, verb: bytes, topic: Topic) -> None:
        self._asked[topic] += 1
        self._send(verb, topic)

    def ping(self) -> None:
        """Make the node say something."""
        self.is_pinged = True
        self._send(_PING, None)

    def _send(self, verb: bytes, topic: Topic | None) -> None:
        self._pending.append((verb, topic))
        self.outbox.write(encode.command([verb] if topic is None else [verb, topic.name]))
        self.turn.mark(self)

    def on_bytes(self, chunk: Chunk, start: int, end: int) -> int:
        """Take every whole push and reply."""
        self.heard_at = self.turn.now
        self.is_pinged = False
        position = start
        while position < end:
            size = self._replies.next(chunk, position, end)
            if size <= 0:
                if size < 0:
                    self.on_lost("a reply is no RESP")
                break
            try:
                self._take(bytes(chunk[position : position + size]))
            except PushError as error:
                self.on_lost(str(error))
            if not self.is_open:
                return end
            position += size
        return position

    def _take(self, frame: bytes) -> None:
        if frame.startswith(b"-"):
            self._on_error(frame)
            return
        verb = strings_of(frame, 1)[0] if frame.startswith(b"*") else _PONG
        if verb in _MESSAGES:
            kind = _MESSAGES[verb]
            strings = strings_of(frame, 3 if kind is Kind.PATTERN else 2)
            self._hub.on_message(Topic(kind, strings[1]), strings[-1], frame)
        elif verb in _CONFIRMED:
            self._on_confirmed(verb, Topic(_CONFIRMED[verb], strings_of(frame, 2)[1]))
        else:
            self._is_settled()

    def _on_confirmed(self, verb: bytes, topic: Topic) -> None:
        if not self._pending or self._pending[0] != (verb, topic):
            if verb != Kind.SHARD.unsubscribe:
                raise PushError("a confirmation of nothing")
            if not self._asked[topic]:
                self._hub.on_taken_away(topic)
            return
        if self._is_settled() and verb in _SUBSCRIBED:
            self._hub.on_subscribed(topic)

    def _on_error(self, line: bytes) -> None:
        """An error answers the oldest command, unless that was taken as answered by a push of the node's own."""
        verb, topic = self._pending[0] if self._pending else (_PING, None)
        if topic is not None and self._is_stray(line, topic):
            return
        if self._is_settled() and topic is not None and verb in _SUBSCRIBED:
            self._hub.on_refused(topic, line)

    def _is_stray(self, line: bytes, topic: Topic) -> bool:
        redirection = classify(line, _ELSEWHERE)
        if redirection is None or redirection.kind is not RedirectionKind.MOVED:
            return False
        return topic.kind is not Kind.SHARD or redirection.slot != hash_slot(topic.name)

    def _is_settled(self) -> bool:
        """Take the oldest command off; whether it was the last about its topic. Raises ``PushError`` without one."""
        if not self._pending:
            raise PushError("a reply to nothing")
        _, topic = self._pending.popleft()
        if topic is None:
            return True
        self._asked[topic] -= 1
        if self._asked[topic]:
            return False
        del self._asked[topic]
        return True

    def on_eof(self) -> None:
        """The node closed the connection."""
        self.on_lost("closed by the node")

    def on_lost(self, reason: str) -> None:
        """The socket failed, or what came makes no sense."""
        if self.is_open:
            self.close()
            self._hub.on_failed(self, reason)

    def close(self) -> None:
        """Close without a word to the hub."""
        self.is_open = False
        if self.transport is not None:
            self.transport.close()
