"""What clients of the other workers are subscribed to: for counting who gets a message."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from rproxy.upstream.subscription import Kind, Subscription, Topic


class Share(NamedTuple):
    """A worker's part in a topic: its clients, which share one subscription at each of ``sources`` (``host:port``)."""

    topic: Topic
    clients: int
    sources: frozenset[str]


class Elsewhere:
    """The shares by topic and worker id. A worker numbers what it tells, so that it is known when some was missed."""

    __slots__ = ("_numbers", "_patterns", "_shares")

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._shares: dict[Topic, dict[int, Share]] = {}
        self._patterns: dict[Topic, Subscription] = {}

    def __len__(self) -> int:
        return len(self._shares)

    def take(self, worker_id: int, number: int, shares: Iterable[Share], is_all: bool) -> bool:
        """A worker tells of changes, or of ``is_all`` it has; false if something before them is missing."""
        if is_all:
            self.forget(worker_id)
        elif number != self._numbers.get(worker_id, 0) + 1:
            return False
        self._numbers[worker_id] = number
        for share in shares:
            self._set(worker_id, share)
        return True

    def forget(self, worker_id: int) -> None:
        """A worker starts anew."""
        self._numbers.pop(worker_id, None)
        for topic in [topic for topic, shares in self._shares.items() if worker_id in shares]:
            self._set(worker_id, Share(topic, 0, frozenset()))

    def _set(self, worker_id: int, share: Share) -> None:
        topic = share.topic
        shares = self._shares.setdefault(topic, {})
        if share.clients:
            shares[worker_id] = share
            if topic.kind is Kind.PATTERN and topic not in self._patterns:
                self._patterns[topic] = Subscription(topic)
        else:
            shares.pop(worker_id, None)
        if not shares:
            del self._shares[topic]
            self._patterns.pop(topic, None)

    def uncounted(self, channel: Topic, node: str) -> int:
        """How many more clients get a message to ``channel`` than ``node`` counts, to which it is published."""
        topics = [channel]
        if channel.kind is Kind.CHANNEL:
            topics += [topic for topic, pattern in self._patterns.items() if pattern.matches(channel.name)]
        shares = [share for topic in topics for share in self._shares.get(topic, {}).values()]
        return sum(share.clients - (node in share.sources) for share in shares)


class Herald(Protocol):
    """Tells the other workers of this worker's subscriptions."""

    def changed(self, topic: Topic) -> None:
        """The claims on the topic, or its sources, are others now."""

    def all_shares(self) -> list[Any]:
        """All that there is to tell: JSON-able."""

    def when_told(self, then: Callable[[], None]) -> None:
        """Call ``then`` once all changes up to now have been told, perhaps before this returns."""


class NoHerald:
    """That of a worker that is alone: nobody is told."""

    def changed(self, topic: Topic) -> None:
        """See ``Herald``."""

    def all_shares(self) -> list[Any]:
        """See ``Herald``."""
        return []

    def when_told(self, then: Callable[[], None]) -> None:
        """See ``Herald``."""
        then()


ALONE = NoHerald()
"""The herald before there are other workers."""
