"""What is subscribed to: topics, the clients' claims on them, and the pushes that tell of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum
from typing import NamedTuple

from rproxy.commands.glob import any_of
from rproxy.topology.snapshot import Endpoint


class Kind(Enum):
    """The three kinds of topics; the value is what Redis puts before the verbs of each."""

    CHANNEL = b""
    PATTERN = b"p"
    SHARD = b"s"

    @property
    def subscribe(self) -> bytes:
        """The command that subscribes, in the lower case in which Redis confirms it."""
        return self.value + b"subscribe"

    @property
    def unsubscribe(self) -> bytes:
        """The command that ends it."""
        return self.value + b"unsubscribe"

    @property
    def message(self) -> bytes:
        """The first element of a message."""
        return self.value + b"message"


class Topic(NamedTuple):
    """A channel, a pattern of channels, or a sharded channel."""

    kind: Kind
    name: bytes


Hear = Callable[[bytes, bytes], None]
"""Takes a message as the push of RESP2 and as that of RESP3."""


class Claim:
    """A client's part in a subscription: waits for ``on_settled``, then, once it is given ``hear``, gets messages."""

    __slots__ = ("deadline", "hear", "on_settled", "subscription")

    def __init__(self, subscription: Subscription, on_settled: Callable[[bytes | None], None], deadline: float) -> None:
        self.subscription = subscription
        self.on_settled: Callable[[bytes | None], None] | None = on_settled
        self.deadline = deadline
        self.hear: Hear | None = None


class Source(Enum):
    """Where a topic stands at an endpoint. One that is ``LEAVING`` is listened to until those in its place confirm."""

    ASKED = "asked"
    CONFIRMED = "confirmed"
    LEAVING = "leaving"


class Subscription:
    """A topic that clients have or want. ``sources`` are the endpoints that it comes from, or is to come from.

    ``clients`` is how many get its messages; ``trouble`` is the last error that a node gave, ``hops`` the MOVEDs that
    were followed since it was confirmed. ``was_confirmed``: it has been whole before.
    """

    __slots__ = ("_expression", "claims", "clients", "hops", "sources", "topic", "trouble", "was_confirmed")

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.claims: dict[Claim, None] = {}
        self.clients = 0
        self.sources: dict[Endpoint, Source] = {}
        self.trouble: bytes | None = None
        self.was_confirmed = False
        self.hops = 0
        self._expression: re.Pattern[bytes] | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether its messages come from everywhere they have to come from."""
        states = self.sources.values()
        return Source.CONFIRMED in states and Source.ASKED not in states

    def comes_from(self, endpoint: Endpoint) -> bool:
        """Whether the node at ``endpoint`` counts rproxy among its receivers."""
        return self.sources.get(endpoint, Source.ASKED) is not Source.ASKED

    def hears(self, channel: Topic) -> bool:
        """Whether a message to ``channel`` is for this subscription."""
        if self.topic.kind is Kind.PATTERN:
            return channel.kind is Kind.CHANNEL and self.matches(channel.name)
        return self.topic == channel

    def matches(self, channel: bytes) -> bool:
        """Whether a message of ``channel`` is one of this pattern's."""
        if self._expression is None:
            self._expression = any_of([self.topic.name])
        return self._expression.fullmatch(channel) is not None


class Topics:
    """The subscriptions there are, by topic."""

    __slots__ = ("_all", "_patterns")

    def __init__(self) -> None:
        self._all: dict[Topic, Subscription] = {}
        self._patterns: dict[Topic, Subscription] = {}

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, topic: Topic) -> Subscription:
        return self._all[topic]

    def add(self, subscription: Subscription) -> None:
        """Have it found from now on."""
        self._all[subscription.topic] = subscription
        if subscription.topic.kind is Kind.PATTERN:
            self._patterns[subscription.topic] = subscription

    def remove(self, topic: Topic) -> None:
        """Have it found no more. Raises ``KeyError``."""
        del self._all[topic]
        self._patterns.pop(topic, None)

    def get(self, topic: Topic) -> Subscription | None:
        """The subscription to ``topic``, if there is one."""
        return self._all.get(topic)

    def of_kind(self, kind: Kind) -> list[Subscription]:
        """The subscriptions of one kind."""
        return [subscription for topic, subscription in self._all.items() if topic.kind is kind]

    def by_which_is_heard(self, topic: Topic) -> list[Subscription]:
        """Those to the channel ``topic``, and to the patterns that match it."""
        found = [self._all[topic]] if topic in self._all else []
        if topic.kind is Kind.CHANNEL:
            found += [pattern for pattern in self._patterns.values() if pattern.matches(topic.name)]
        return found


class PushError(Exception):
    """A node said something that has no meaning in subscriber mode."""


def strings_of(push: bytes, count: int) -> list[bytes]:
    """The first ``count`` elements of a framed array, which have to be bulk strings. Raises ``PushError``."""
    position = push.find(b"\r\n") + 2
    strings: list[bytes] = []
    while len(strings) < count:
        start = push.find(b"\r\n", position) + 2
        length = push[position + 1 : start - 2]
        if push[position : position + 1] != b"$" or not length.isdigit():
            raise PushError("an element is no bulk string")
        end = start + int(length)
        strings.append(push[start:end])
        position = end + 2
    return strings
