"""One endpoint as a source of messages, before a scripted node and with a clock that is set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from rproxy.topology.snapshot import Endpoint
from rproxy.upstream import subscriber_node as module
from rproxy.upstream.pool import BACKOFF_FIRST, BACKOFF_MOST
from rproxy.upstream.subscriber_node import _LINGER, _PING_AFTER, SubscriberNode
from rproxy.upstream.subscription import Kind, Topic
from tests.support.fake_node import CLOSE, SILENCE, FakeNode
from tests.support.pubsub import asked, confirm, pubsub_answers, push, subscriber
from tests.support.upstream import HandSet, Upstream

NEWS = Topic(Kind.CHANNEL, b"news")
ALL = Topic(Kind.PATTERN, b"*")
SHARD = Topic(Kind.SHARD, b"b")
OP_TIMEOUT = 10.0
A_MOMENT = 0.001
"""Seconds before and after something is due."""


class Source:
    """A node under test of a cluster whose clock is set; what its subscriptions are told is noted in order."""

    def __init__(self, upstream: Upstream, endpoint: Endpoint) -> None:
        self.cluster = upstream.cluster
        self.until = upstream.until
        self.told: list[tuple[object, ...]] = []
        subscriptions: Any = self
        self.node = SubscriberNode(subscriptions, endpoint)

    def on_message(self, endpoint: Endpoint, topic: Topic, channel: bytes, push: bytes) -> None:
        self.told.append(("message", endpoint, topic, channel, push))

    def on_subscribed(self, endpoint: Endpoint, topic: Topic) -> None:
        self.told.append(("subscribed", endpoint, topic))

    def on_refused(self, node: SubscriberNode, topic: Topic, line: bytes) -> None:
        self.told.append(("refused", node.endpoint, topic, line))

    def on_taken_away(self, endpoint: Endpoint, topic: Topic) -> None:
        self.told.append(("taken away", endpoint, topic))

    def on_node_failed(self, node: SubscriberNode) -> None:
        self.told.append(("failed", node.endpoint, node.failure))

    async def heard(self, count: int = 1) -> None:
        """Wait until so much has been told in all."""
        await self.until(lambda: len(self.told) >= count)

    async def subscribe(self, topic: Topic) -> None:
        """Want a topic, and have it confirmed; that this is told is not noted."""
        self.node.want(topic)
        confirmation = ("subscribed", self.node.endpoint, topic)
        await self.until(lambda: confirmation in self.told)
        self.told.remove(confirmation)

    async def pass_time(self, seconds: float) -> bool:
        """Let time pass, then the janitor come round: whether the node is of no more use."""
        self.cluster.turn.now += seconds
        is_useless = self.node.tick(self.cluster.turn.now)
        await asyncio.sleep(0)  # an attempt that this has begun begins to dial
        return is_useless

    @property
    def connections(self) -> tuple[int, int, int]:
        """How many were opened, are open, and could not be opened."""
        traffic = self.cluster.traffic
        return traffic.opened, traffic.active, traffic.failed


@pytest.fixture
async def fake(start_node: Any) -> FakeNode:
    node: FakeNode = await start_node(pubsub_answers())
    return node


@pytest.fixture
def dials(monkeypatch: pytest.MonkeyPatch, source: Source) -> list[float]:
    """When the node was dialled, by the clock that is set."""
    at: list[float] = []
    dial = module.dial

    async def noted(*arguments: Any) -> Any:
        at.append(source.cluster.turn.now)
        return await dial(*arguments)

    monkeypatch.setattr(module, "dial", noted)
    return at


@pytest.fixture
async def source(fake: FakeNode, make_upstream: Callable[..., Upstream]) -> AsyncIterator[Source]:
    turn = HandSet(asyncio.get_running_loop())
    turn.now = 1000.0
    source = Source(make_upstream(turn=turn, op_timeout=OP_TIMEOUT, password="secret"), fake.endpoint)
    yield source
    source.node.close()


# -- topics


async def test_one_connection_is_opened_for_all_topics_that_are_wanted(source: Source, fake: FakeNode) -> None:
    for topic in (NEWS, ALL):
        source.node.want(topic)
    await source.heard(2)
    source.node.want(SHARD)
    await source.heard(3)
    assert source.told == [("subscribed", fake.endpoint, topic) for topic in (NEWS, ALL, SHARD)]
    assert asked(fake) == [("subscribe", "news"), ("psubscribe", "*"), ("ssubscribe", "b")]
    assert len(fake.peers) == 1
    assert source.connections == (1, 1, 0)


async def test_a_topic_that_is_dropped_is_unsubscribed_from(source: Source, fake: FakeNode) -> None:
    await source.subscribe(NEWS)
    source.node.drop(ALL)
    source.node.drop(NEWS)
    source.node.drop(NEWS)
    await fake.heard("unsubscribe")
    await source.subscribe(ALL)
    assert asked(fake) == [("subscribe", "news"), ("unsubscribe", "news"), ("psubscribe", "*")]


async def test_a_topic_that_is_dropped_before_the_connection_is_there_is_not_asked_for(
    source: Source, fake: FakeNode
) -> None:
    source.node.want(NEWS)
    source.node.want(ALL)
    source.node.drop(NEWS)
    await source.heard()
    assert asked(fake) == [("psubscribe", "*")]


async def test_messages_are_passed_on_with_where_they_came_from(source: Source, fake: FakeNode) -> None:
    await source.subscribe(ALL)
    message = push("pmessage", "*", "news", "1")
    subscriber(fake).send(message)
    await source.heard()
    assert source.told == [("message", fake.endpoint, ALL, b"news", message)]


async def test_a_refusal_is_told_and_asked_about_again_when_its_delay_is_over(source: Source, fake: FakeNode) -> None:
    fake.answers["SSUBSCRIBE"] = [b"-ERR no\r\n", push("ssubscribe", "b", 1)]
    source.node.want(SHARD)
    await source.heard()
    assert source.told == [("refused", fake.endpoint, SHARD, b"-ERR no\r\n")]
    source.node.ask_later(SHARD, 0.5)
    await source.pass_time(0.5 - A_MOMENT)
    await source.subscribe(NEWS)
    assert fake.count("ssubscribe") == 1
    await source.pass_time(2 * A_MOMENT)
    await source.heard(2)
    assert source.told[-1] == ("subscribed", fake.endpoint, SHARD)
    await source.pass_time(0.5)
    await source.subscribe(ALL)
    assert fake.count("ssubscribe") == 2


async def test_what_is_wanted_no_more_is_not_asked_for_again(source: Source, fake: FakeNode) -> None:
    await source.subscribe(SHARD)
    source.node.ask_later(SHARD, 0.5)
    source.node.drop(SHARD)
    await source.pass_time(0.6)
    await source.subscribe(NEWS)
    assert asked(fake) == [("ssubscribe", "b"), ("sunsubscribe", "b"), ("subscribe", "news")]


async def test_what_the_node_ended_by_itself_is_told_and_asked_for_at_once(source: Source, fake: FakeNode) -> None:
    await source.subscribe(SHARD)
    subscriber(fake).send(push("sunsubscribe", "b", 0))
    await source.heard(2)
    assert source.told == [("taken away", fake.endpoint, SHARD), ("subscribed", fake.endpoint, SHARD)]
    assert asked(fake) == [("ssubscribe", "b")] * 2


@pytest.mark.parametrize("tell", ["on_subscribed", "on_taken_away"])
async def test_nothing_is_told_of_a_topic_that_was_dropped(source: Source, tell: str) -> None:
    getattr(source.node, tell)(NEWS)
    source.node.on_refused(NEWS, b"-ERR no\r\n")
    assert source.told == []


# -- losses


async def test_a_lost_connection_is_told_and_opened_again_after_a_pause(
    source: Source, fake: FakeNode, dials: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    await source.subscribe(NEWS)
    subscriber(fake).close()
    await source.heard()
    assert source.told == [("failed", fake.endpoint, "closed by the node")]
    assert f"cluster main: lost the subscriptions at {fake.endpoint}: closed by the node" in caplog.text
    assert source.connections == (1, 0, 0)
    lost_at = source.cluster.turn.now
    source.node.want(ALL)
    await source.pass_time(BACKOFF_FIRST / 2 - A_MOMENT)
    await source.pass_time(2 * A_MOMENT)
    await source.heard(3)
    assert source.told[1:] == [("subscribed", fake.endpoint, topic) for topic in (NEWS, ALL)]
    assert dials[1:] == [pytest.approx(lost_at + BACKOFF_FIRST / 2 + A_MOMENT)]
    assert (source.node.failure, source.connections) == ("", (2, 1, 0))


async def test_the_loss_of_a_connection_without_topics_is_not_logged(
    source: Source, fake: FakeNode, caplog: pytest.LogCaptureFixture
) -> None:
    await source.subscribe(NEWS)
    source.node.drop(NEWS)
    subscriber(fake).close()
    await source.heard()
    assert [what for what, *_ in source.told] == ["failed"]
    assert not [record for record in caplog.records if record.name == "rproxy.subscriptions"]


async def test_pauses_double_up_to_a_limit_while_it_cannot_be_reached(
    source: Source, fake: FakeNode, dials: list[float]
) -> None:
    await fake.stop()
    expected = [source.cluster.turn.now]
    source.node.want(NEWS)
    for number in range(8):
        await source.heard(number + 1)
        assert source.told[-1] == ("failed", fake.endpoint, "Connection refused")
        pause = min(BACKOFF_FIRST * 2**number, BACKOFF_MOST) / 2  # what is drawn may double it
        expected.append(source.cluster.turn.now + pause + A_MOMENT)
        await source.pass_time(pause - A_MOMENT)
        await source.pass_time(2 * A_MOMENT)
    assert dials == pytest.approx(expected)
    await source.heard(9)
    assert source.connections == (0, 0, 9)


async def test_only_a_confirmation_ends_the_doubling(source: Source, fake: FakeNode, dials: list[float]) -> None:
    fake.answers["SUBSCRIBE"] = CLOSE
    source.node.want(NEWS)
    for number in range(3):
        await source.heard(number + 1)
        await source.pass_time(BACKOFF_FIRST * 2**number / 2 - A_MOMENT)
        assert len(dials) == number + 1
        if number == 2:
            fake.answers["SUBSCRIBE"] = confirm
        await source.pass_time(2 * A_MOMENT)
    await source.heard(4)
    subscriber(fake).close()
    await source.heard(5)
    await source.pass_time(BACKOFF_FIRST / 2 + A_MOMENT)
    assert len(dials) == 5


async def test_what_a_lost_connection_was_to_ask_again_is_asked_once(source: Source, fake: FakeNode) -> None:
    await source.subscribe(SHARD)
    source.node.ask_later(SHARD, 2 * BACKOFF_MOST)
    subscriber(fake).close()
    await source.heard()
    await source.pass_time(BACKOFF_MOST)
    await source.heard(2)
    await source.pass_time(2 * BACKOFF_MOST)
    await source.subscribe(NEWS)
    assert asked(fake) == [("ssubscribe", "b")] * 2 + [("subscribe", "news")]


# -- silence


async def test_a_silent_node_is_pinged_once_and_given_up_when_a_request_would_be_overdue(
    source: Source, fake: FakeNode
) -> None:
    fake.answers["PING"] = SILENCE
    await source.subscribe(NEWS)
    await source.pass_time(_PING_AFTER - A_MOMENT)
    await source.subscribe(ALL)
    assert fake.count("ping") == 0
    await source.pass_time(_PING_AFTER + A_MOMENT)
    await fake.heard("ping")
    await source.pass_time(OP_TIMEOUT - 2 * A_MOMENT)
    assert source.told == []
    await source.pass_time(2 * A_MOMENT)
    assert source.told == [("failed", fake.endpoint, "silent")]
    await fake.until_closed(0)
    assert fake.count("ping") == 1


async def test_who_answers_is_pinged_again_when_it_is_silent_again(source: Source, fake: FakeNode) -> None:
    await source.subscribe(NEWS)
    for number in range(3):
        await source.pass_time(_PING_AFTER + A_MOMENT)
        await fake.heard("ping", number + 1)
        await source.until(lambda: not source.node._connection.is_pinged)
    await source.pass_time(_PING_AFTER - A_MOMENT)
    await source.subscribe(ALL)
    assert (fake.count("ping"), source.told) == (3, [])


# -- its end


async def test_a_connection_without_topics_is_kept_for_a_while(source: Source, fake: FakeNode) -> None:
    await source.subscribe(NEWS)
    await source.pass_time(_PING_AFTER)
    source.node.drop(NEWS)
    assert not await source.pass_time(_LINGER - A_MOMENT)
    assert source.connections == (1, 1, 0)
    assert await source.pass_time(2 * A_MOMENT)
    await fake.until_closed(0)
    assert (source.connections, source.told) == ((1, 0, 0), [])


async def test_a_node_that_nothing_is_wanted_of_is_of_no_more_use_unless_it_is_dialled(source: Source) -> None:
    assert await source.pass_time(0.0)
    source.node.want(NEWS)
    source.node.drop(NEWS)
    assert not await source.pass_time(0.0)
    await source.until(lambda: source.connections == (1, 1, 0))


async def test_closing_ends_an_attempt_to_open_a_connection(source: Source, fake: FakeNode) -> None:
    fake.answers["AUTH"] = SILENCE
    source.node.want(NEWS)
    await fake.heard("AUTH")
    source.node.close()
    await fake.until_closed(0)
    assert (source.connections, source.told) == ((0, 0, 0), [])


async def test_closing_an_open_connection_tells_nobody(source: Source, fake: FakeNode) -> None:
    await source.subscribe(NEWS)
    source.node.close()
    await fake.until_closed(0)
    assert (source.connections, source.told) == ((1, 0, 0), [])
