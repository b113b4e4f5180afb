"""The subscriptions of a cluster's clients: one upstream for each topic, however many clients share it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING

from rproxy.topology.redirection import RedirectionKind, classify
from rproxy.topology.snapshot import Endpoint
from rproxy.upstream.elsewhere import ALONE, Elsewhere, Herald
from rproxy.upstream.expected import Expected
from rproxy.upstream.failure import UNREACHABLE, UNSERVED_SLOT, Failure
from rproxy.upstream.sources import Sources
from rproxy.upstream.subscriber_node import SubscriberNode
from rproxy.upstream.subscription import Claim, Kind, Source, Subscription, Topic, Topics

if TYPE_CHECKING:
    from rproxy.upstream.cluster import Cluster

_HOPS = 5
"""MOVEDs of one topic that are followed at once, before it is made to wait as well."""
_SOON, _LATER = 0.1, 1.0
"""Seconds before a subscription is tried again that a node could not take now, or that it has no reason to take."""

log = logging.getLogger("rproxy.subscriptions")


class Subscriptions:
    """``delivered`` counts messages handed to clients, ``renewed`` the topics that were subscribed to anew.

    ``expected`` are the claims of clients that do not listen yet; ``elsewhere`` is what those of other workers have,
    who are told of this one's by ``herald``.
    """

    __slots__ = (
        "_is_stale",
        "_nodes",
        "_sources",
        "_waiting",
        "cluster",
        "delivered",
        "elsewhere",
        "expected",
        "herald",
        "listening",
        "renewed",
        "topics",
    )

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.delivered = 0
        self.elsewhere = Elsewhere()
        self.expected = Expected()
        self.herald: Herald = ALONE
        self.listening = 0
        self.renewed = 0
        self.topics = Topics()
        self._nodes: dict[Endpoint, SubscriberNode] = {}
        self._waiting: dict[Claim, None] = {}
        self._sources = Sources()
        self._is_stale = False

    @property
    def carrier(self) -> Endpoint | None:
        """The node that is listened to for channels and patterns."""
        return self._sources.carrier

    # -- for clients

    def claim(self, topic: Topic, on_settled: Callable[[bytes | None], None]) -> Claim:
        """Take part in the subscription to ``topic``.

        ``on_settled`` is called once, perhaps before this returns: with ``None`` when it is confirmed upstream, else
        with an error; then the claim is released already.
        """
        self._settle_down()
        subscription = self.topics.get(topic) or Subscription(topic)
        claim = Claim(subscription, on_settled, self.cluster.turn.tick() + self.cluster.op_timeout)
        failure = self._sources.obstacle(topic)
        if failure is not None and not (failure is UNSERVED_SLOT and self.cluster.awaits_owners()):
            self._settle(claim, self._failed(failure))
            return claim
        if not subscription.claims:
            self.topics.add(subscription)
            self._place(subscription)
        subscription.claims[claim] = None
        self.expected.add(claim)
        self.herald.changed(topic)
        if subscription.is_confirmed:
            self._settle(claim, None)
        else:
            self._waiting[claim] = None
        return claim

    def listen(self, claim: Claim, hear: Callable[[bytes, bytes], None]) -> None:
        """Give the messages of a claim that was confirmed to ``hear``."""
        claim.hear = hear
        claim.subscription.clients += 1
        self.listening += 1
        self.expected.remove(claim)

    def release(self, claim: Claim) -> None:
        """Take part no more. Does nothing a second time."""
        subscription = claim.subscription
        claim.on_settled = None
        self._waiting.pop(claim, None)
        self.expected.remove(claim)
        if claim not in subscription.claims:
            return
        del subscription.claims[claim]
        self.herald.changed(subscription.topic)
        if claim.hear is not None:
            subscription.clients -= 1
            self.listening -= 1
        if not subscription.claims:
            self.topics.remove(subscription.topic)
            for endpoint in subscription.sources:
                self._nodes[endpoint].drop(subscription.topic)

    def home_slot(self) -> int:
        """A slot of the shard to publish at: the carrier's if it is up, so that order is kept; -1 if none is known."""
        self._settle_down()
        home, cluster = self._sources.home_slot, self.cluster
        if home < 0 or not cluster.is_down(home):
            return home
        return next((slot for slot in cluster.shard_slots() if not cluster.is_down(slot)), home)

    def _failed(self, failure: Failure, reason: str = "") -> bytes:
        self.cluster.failures[failure.label] += 1
        return failure.line(self.cluster.name, reason)

    def _settle(self, claim: Claim, error: bytes | None) -> None:
        on_settled = claim.on_settled
        if on_settled is None:
            return
        claim.on_settled = None
        self._waiting.pop(claim, None)
        if error is not None:
            self.release(claim)
        on_settled(error)

    def _settle_all(self, subscription: Subscription, error: bytes | None) -> None:
        for claim in [claim for claim in subscription.claims if claim.on_settled is not None]:
            self._settle(claim, error)

    # -- where topics come from

    def on_swap(self) -> None:
        """The topology has changed: topics find their new places at the next claim, or in the next round."""
        self._is_stale = True

    def _settle_down(self) -> None:
        """Place every topic where it belongs now, if anything about that has changed."""
        if not self._is_stale:
            return
        self._is_stale = False
        failing = {endpoint for endpoint, node in self._nodes.items() if node.failure}
        self._sources.settle(self.cluster.topology, failing, self.cluster.draw)
        for subscription in self.topics:
            self._place(subscription)

    def _place(self, subscription: Subscription) -> None:
        wanted = set(self._sources.of(subscription.topic))
        sources = subscription.sources
        for endpoint in sources.keys() - wanted:
            if subscription.comes_from(endpoint):
                sources[endpoint] = Source.LEAVING
            else:
                self._drop(subscription, endpoint)
        for endpoint in wanted:
            if endpoint not in sources:
                sources[endpoint] = Source.ASKED
                self._node(endpoint).want(subscription.topic)
                self.herald.changed(subscription.topic)
            elif sources[endpoint] is Source.LEAVING:
                sources[endpoint] = Source.CONFIRMED
        self._let_go(subscription)

    def _let_go(self, subscription: Subscription) -> None:
        """Listen no more where the topic has to come from no more, once it comes from where it has to."""
        if subscription.is_confirmed:
            for endpoint in [each for each, state in subscription.sources.items() if state is Source.LEAVING]:
                self._drop(subscription, endpoint)

    def _drop(self, subscription: Subscription, endpoint: Endpoint) -> None:
        del subscription.sources[endpoint]
        self._nodes[endpoint].drop(subscription.topic)
        self.herald.changed(subscription.topic)

    def _lose(self, topic: Topic, endpoint: Endpoint) -> None:
        """The topic does not come from there any more."""
        subscription = self.topics[topic]
        if subscription.sources[endpoint] is Source.LEAVING:
            self._drop(subscription, endpoint)
        else:
            subscription.sources[endpoint] = Source.ASKED

    def _node(self, endpoint: Endpoint) -> SubscriberNode:
        if endpoint not in self._nodes:
            self._nodes[endpoint] = SubscriberNode(self, endpoint)
        return self._nodes[endpoint]

    # -- what the nodes tell

    def on_message(self, endpoint: Endpoint, topic: Topic, channel: bytes, push: bytes) -> None:
        """A message came: hand it to those who listen, if it has not come from elsewhere as well."""
        subscription = self.topics.get(topic)
        if subscription is None or endpoint not in subscription.sources:
            return
        is_leaving = subscription.sources[endpoint] is Source.LEAVING
        if topic.kind is not Kind.SHARD and not self._sources.has_told(endpoint, channel, is_leaving=is_leaving):
            return
        in_resp3 = b">" + push[1:]
        for claim in tuple(subscription.claims):
            if claim.hear is not None:
                self.delivered += 1
                claim.hear(push, in_resp3)

    def on_subscribed(self, endpoint: Endpoint, topic: Topic) -> None:
        """A node has confirmed."""
        subscription = self.topics[topic]
        subscription.trouble = None
        if subscription.sources[endpoint] is not Source.ASKED:
            return
        subscription.sources[endpoint] = Source.CONFIRMED
        self._let_go(subscription)
        if subscription.is_confirmed:
            self.renewed += subscription.was_confirmed
            subscription.was_confirmed = True
            subscription.hops = 0
            self._settle_all(subscription, None)

    def on_taken_away(self, endpoint: Endpoint, topic: Topic) -> None:
        """A node has ended the subscription."""
        self._lose(topic, endpoint)

    def on_refused(self, node: SubscriberNode, topic: Topic, line: bytes) -> None:
        """A node has refused: follow it where it says that another has the slot, else try again a little later."""
        subscription = self.topics[topic]
        redirection = classify(line, node.endpoint)
        if redirection is None:
            if subscription.was_confirmed and subscription.trouble != line:
                log.warning("cluster %s: %s refuses a subscription: %s", self.cluster.name, node.endpoint, line)
            self._settle_all(subscription, line)
        elif redirection.kind is RedirectionKind.MOVED and subscription.hops < _HOPS:
            subscription.hops += 1
            self.cluster.move_slot(redirection.slot, redirection.endpoint)
            self._sources.learn(self.cluster.topology)
            self._place(subscription)
        subscription.trouble = line
        if topic in node.topics:
            subscription.hops = 0
            node.ask_later(topic, _LATER if redirection is None else _SOON)

    def on_node_failed(self, node: SubscriberNode) -> None:
        """A connection was lost, or could not be opened: what can come from another node does so."""
        for topic in list(node.topics):
            self._lose(topic, node.endpoint)
        if node.endpoint == self.carrier:
            self._is_stale = True
            self._settle_down()
        self.cluster.on_failure()

    # -- the janitor

    def tick(self, now: float) -> None:
        """The janitor's round: new places, new attempts, and an end to what has waited too long."""
        if self.topics:
            self._settle_down()
        for claim in list(takewhile(lambda claim: claim.deadline <= now, self._waiting)):
            self._settle(claim, claim.subscription.trouble or self._failed(UNREACHABLE, self._trouble()))
        for node in list(self._nodes.values()):
            if node.tick(now):
                del self._nodes[node.endpoint]

    def _trouble(self) -> str:
        troubles = [f"{node.endpoint}: {node.failure}" for node in self._nodes.values() if node.failure]
        return "; ".join(troubles[:3]) or "no node has confirmed the subscription"

    def describe(self) -> dict[str, object]:
        """The state of the subscriptions for operators: JSON-able."""
        carrier = str(self.carrier) if self.carrier is not None else None
        return {"topics": len(self.topics), "clients": self.listening, "carrier": carrier}

    def close(self) -> None:
        """Close every connection; who waits is told."""
        for claim in list(self._waiting):
            self._settle(claim, self._failed(UNREACHABLE, "rproxy is stopping"))
        for subscription in self.topics:
            subscription.sources.clear()
        for node in self._nodes.values():
            node.close()
        self._nodes.clear()
