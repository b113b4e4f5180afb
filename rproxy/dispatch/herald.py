"""Workers tell each other what their clients are subscribed to, so that PUBLISH counts all of them without asking.

A change goes to all workers, what has changed meanwhile with the next. Who subscribes, or ends it, is told so when the
others know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from rproxy.dispatch.context import Context
from rproxy.dispatch.crew import Answers, Crew
from rproxy.upstream.cluster import Cluster
from rproxy.upstream.elsewhere import ALONE, Share
from rproxy.upstream.subscription import Kind, Topic

SHARES = "shares of subscriptions"
NEW_WORKER = "a new worker's subscriptions"


class Herald:
    """Tells the crew of a cluster's subscriptions here (see ``upstream.elsewhere.Herald``)."""

    def __init__(self, crew: Crew, cluster: Cluster) -> None:
        self._crew = crew
        self._cluster = cluster
        self._loop = asyncio.get_running_loop()
        self._changed: dict[Topic, None] = {}
        self._tells_all = False
        self._is_telling = False
        self._number = 0
        self._told: list[Callable[[], None]] = []
        self._waiting: list[Callable[[], None]] = []

    def changed(self, topic: Topic) -> None:
        """A client has come to the topic or left it, or it comes from elsewhere now."""
        self._changed[topic] = None
        self._tell_soon()

    def when_told(self, then: Callable[[], None]) -> None:
        """Call ``then`` once the other workers know of all changes up to now, or gave no answer in time."""
        if self._changed or self._tells_all:
            self._waiting.append(then)
        elif self._is_telling:
            self._told.append(then)
        else:
            then()

    def _tell_soon(self) -> None:
        if not self._is_telling:
            self._is_telling = True
            self._loop.call_soon(self._tell)

    def _tell(self) -> None:
        self._number += 1
        message = self.all_shares() if self._tells_all else self._message(False, self._changed)
        self._changed.clear()
        self._tells_all = False
        self._told, self._waiting = self._waiting, []
        self._crew.ask(SHARES, message, self._on_answers)

    def all_shares(self) -> list[Any]:
        """The message with all that there is."""
        return self._message(True, [subscription.topic for subscription in self._cluster.subscriptions.topics])

    def _message(self, is_all: bool, topics: Iterable[Topic]) -> list[Any]:
        shares = list(map(self._share, topics))
        return [self._crew.worker_id, self._cluster.name, self._number, is_all, shares]

    def _share(self, topic: Topic) -> list[Any]:
        subscription = self._cluster.subscriptions.topics.get(topic)
        name = [topic.kind.name, topic.name.decode("latin-1")]
        return (
            [*name, len(subscription.claims), list(map(str, subscription.sources))] if subscription else [*name, 0, []]
        )

    def _on_answers(self, answers: Answers) -> None:
        self._is_telling = False
        told, self._told = self._told, []
        if not all(answers):
            self._waiting += told
            self._tells_all = True
            self._tell_soon()
            return
        if self._changed or self._tells_all:
            self._tell_soon()
        for then in told:
            then()


def send_heralds(context: Context) -> None:
    """Have the other workers told of what clients of a listener are subscribed to, and hear of theirs."""
    crew = context.crew
    if crew.is_alone:
        return
    for cluster in context.clusters():
        if cluster.subscriptions.herald is ALONE:
            cluster.subscriptions.herald = Herald(crew, cluster)
            # Once this worker has started: what the others tell reaches it from then on.
            asyncio.get_running_loop().call_soon(_ask_for_shares, cluster.name, context)


def _ask_for_shares(name: str, context: Context) -> None:
    def on_answers(answers: Answers) -> None:
        for message in filter(None, answers):
            _take_shares(message, context)

    context.crew.ask(NEW_WORKER, [context.crew.worker_id, name], on_answers)


def _take_shares(argument: list[Any], context: Context) -> bool:
    worker_id, name, number, is_all, entries = argument
    cluster = _cluster(name, context)
    if worker_id == context.crew.worker_id or cluster is None:
        return True
    shares = [
        Share(Topic(Kind[kind], channel.encode("latin-1")), clients, frozenset(sources))
        for kind, channel, clients, sources in entries
    ]
    return cluster.subscriptions.elsewhere.take(worker_id, number, shares, is_all)


def _greet(argument: list[Any], context: Context) -> list[Any] | None:
    """A worker has started, with nothing: what this one has."""
    worker_id, name = argument
    cluster = _cluster(name, context)
    if worker_id == context.crew.worker_id or cluster is None:
        return None
    cluster.subscriptions.elsewhere.forget(worker_id)
    return cluster.subscriptions.herald.all_shares()


def _cluster(name: str, context: Context) -> Cluster | None:
    return next((cluster for cluster in context.clusters() if cluster.name == name), None)


QUESTIONS: dict[str, Callable[[Any, Context], Any]] = {SHARES: _take_shares, NEW_WORKER: _greet}
