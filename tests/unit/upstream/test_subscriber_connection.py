"""A subscriber connection by itself: bytes go in as from a socket; what its hub hears is recorded."""

from __future__ import annotations

import asyncio

import pytest

from rproxy.resp import encode
from rproxy.transport.connection import Connection, Traffic, Transport, Turn
from rproxy.transport.phase import Phase
from rproxy.upstream.subscriber_connection import SubscriberConnection
from rproxy.upstream.subscription import Kind, Topic
from tests.support.pubsub import push

NEWS = Topic(Kind.CHANNEL, b"news")
ALL = Topic(Kind.PATTERN, b"n*")
SHARD = Topic(Kind.SHARD, b"b")
MOVED = b"-MOVED 3300 127.0.0.1:7001\r\n"
"""Where the slot of ``SHARD`` has gone to."""
MOVED_ELSEWHERE = b"-MOVED 3301 127.0.0.1:7001\r\n"
PONG = push("pong", "")
MESSAGE = push("message", "news", "1")


class Socket(Transport):
    """Takes everything that is flushed."""

    def __init__(self) -> None:
        self.sent = b""
        self.is_closed = False

    def flush(self, connection: Connection) -> None:
        self.sent += connection.outbox.take()

    def close(self) -> None:
        self.is_closed = True


class Hub:
    """Notes what it is told, in order. ``closes`` when it hears a message, if it is told to."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []
        self.closes = False
        self.turn = Turn(asyncio.get_running_loop())
        self.connection = SubscriberConnection(self, self.turn, Traffic())
        self.socket = Socket()
        self.connection.transport = self.socket

    def on_message(self, topic: Topic, channel: bytes, push: bytes) -> None:
        self.heard.append(("message", topic, channel, push))
        if self.closes:
            self.connection.close()

    def on_subscribed(self, topic: Topic) -> None:
        self.heard.append(("subscribed", topic))

    def on_refused(self, topic: Topic, line: bytes) -> None:
        self.heard.append(("refused", topic, line))

    def on_taken_away(self, topic: Topic) -> None:
        self.heard.append(("taken away", topic))

    def on_failed(self, connection: SubscriberConnection, reason: str) -> None:
        assert connection is self.connection
        assert not connection.is_open
        self.heard.append(("failed", reason))

    def receive(self, data: bytes) -> None:
        self.connection.receive(data, len(data))


@pytest.fixture
async def hub() -> Hub:
    return Hub()


def confirmed(topic: Topic) -> bytes:
    return push(topic.kind.subscribe, topic.name, 1)


def ended(topic: Topic) -> bytes:
    return push(topic.kind.unsubscribe, topic.name, 0)


# -- what it asks for


@pytest.mark.parametrize("topic", [NEWS, ALL, SHARD])
async def test_each_command_names_one_topic_with_the_verb_of_its_kind(hub: Hub, topic: Topic) -> None:
    hub.connection.subscribe(topic)
    hub.connection.unsubscribe(topic)
    hub.turn.finish()
    commands = [[topic.kind.subscribe, topic.name], [topic.kind.unsubscribe, topic.name]]
    assert hub.socket.sent == b"".join(map(encode.command, commands))


async def test_a_ping_is_under_way_until_the_node_says_anything(hub: Hub) -> None:
    hub.connection.subscribe(NEWS)
    assert not hub.connection.is_pinged
    hub.connection.ping()
    hub.turn.finish()
    assert hub.socket.sent.endswith(encode.command([b"ping"]))
    assert hub.connection.is_pinged
    hub.receive(confirmed(NEWS))
    assert not hub.connection.is_pinged


async def test_it_remembers_when_the_node_last_said_something(hub: Hub) -> None:
    hub.connection.subscribe(NEWS)
    hub.turn.now += 5.0
    assert hub.connection.heard_at == hub.turn.now - 5.0
    hub.receive(confirmed(NEWS)[:3])
    assert hub.connection.heard_at == hub.turn.now


# -- messages


@pytest.mark.parametrize(
    ("data", "topic", "channel"),
    [
        (MESSAGE, NEWS, b"news"),
        (push("pmessage", "n*", "news", "1"), ALL, b"news"),
        (push("smessage", "b", "1"), SHARD, b"b"),
    ],
)
async def test_a_message_comes_with_its_topic_its_channel_and_its_bytes(
    hub: Hub, data: bytes, topic: Topic, channel: bytes
) -> None:
    hub.receive(data)
    assert hub.heard == [("message", topic, channel, data)]


async def test_a_piece_of_a_push_is_kept_until_the_rest_has_come(hub: Hub) -> None:
    other = push("message", "news", "2")
    hub.receive(MESSAGE + other[:-4])
    assert [heard[-1] for heard in hub.heard] == [MESSAGE]
    assert hub.connection.inbox is not None
    assert bytes(hub.connection.inbox[: hub.connection.filled]) == other[:-4]
    hub.connection.inbox += other[-4:]
    hub.connection.receive(hub.connection.inbox, len(other))
    assert [heard[-1] for heard in hub.heard] == [MESSAGE, other]


async def test_nothing_more_is_told_once_the_hub_has_closed_it(hub: Hub) -> None:
    hub.closes = True
    hub.receive(MESSAGE + push("message", "news", "2"))
    assert [heard[-1] for heard in hub.heard] == [MESSAGE]


# -- confirmations


async def test_a_subscription_is_told_when_it_is_confirmed_its_end_is_not(hub: Hub) -> None:
    hub.connection.subscribe(NEWS)
    assert hub.heard == []
    hub.receive(confirmed(NEWS))
    assert hub.heard == [("subscribed", NEWS)]
    hub.connection.unsubscribe(NEWS)
    hub.receive(ended(NEWS))
    assert hub.heard == [("subscribed", NEWS)]


async def test_a_topic_is_told_once_nothing_else_about_it_is_on_its_way(hub: Hub) -> None:
    for ask in (hub.connection.subscribe, hub.connection.unsubscribe, hub.connection.subscribe):
        ask(NEWS)
    hub.connection.subscribe(ALL)
    hub.receive(confirmed(NEWS) + ended(NEWS))
    assert hub.heard == []
    hub.receive(confirmed(NEWS) + confirmed(ALL))
    assert hub.heard == [("subscribed", NEWS), ("subscribed", ALL)]


async def test_topics_of_one_name_and_two_kinds_are_two(hub: Hub) -> None:
    alike = Topic(Kind.PATTERN, NEWS.name)
    hub.connection.subscribe(NEWS)
    hub.connection.subscribe(alike)
    hub.receive(confirmed(NEWS))
    assert hub.heard == [("subscribed", NEWS)]
    hub.receive(confirmed(alike))
    assert hub.heard[1:] == [("subscribed", alike)]


async def test_replies_to_pings_are_told_nobody(hub: Hub) -> None:
    hub.connection.ping()
    hub.connection.subscribe(NEWS)
    hub.connection.ping()
    # Without subscriptions, PING has its ordinary reply.
    hub.receive(b"+PONG\r\n" + confirmed(NEWS) + PONG)
    assert hub.heard == [("subscribed", NEWS)]


# -- errors


async def test_an_error_is_of_the_oldest_command(hub: Hub) -> None:
    hub.connection.subscribe(NEWS)
    hub.connection.subscribe(ALL)
    hub.receive(b"-NOPERM no\r\n" + confirmed(ALL))
    assert hub.heard == [("refused", NEWS, b"-NOPERM no\r\n"), ("subscribed", ALL)]


async def test_a_refusal_is_told_unless_more_about_the_topic_is_on_its_way(hub: Hub) -> None:
    for ask in (hub.connection.subscribe, hub.connection.unsubscribe, hub.connection.subscribe):
        ask(NEWS)
    hub.receive(b"-ERR one\r\n-ERR two\r\n")
    assert hub.heard == []
    hub.receive(b"-ERR three\r\n")
    assert hub.heard == [("refused", NEWS, b"-ERR three\r\n")]


async def test_an_error_to_an_end_or_a_ping_is_told_nobody(hub: Hub) -> None:
    hub.connection.unsubscribe(NEWS)
    hub.connection.ping()
    hub.receive(b"-ERR no\r\n-ERR no\r\n")
    assert hub.heard == []
    assert hub.connection.is_open


# -- a slot that moves


async def test_a_channel_that_is_taken_away_is_told(hub: Hub) -> None:
    hub.connection.subscribe(SHARD)
    hub.receive(confirmed(SHARD) + ended(SHARD))
    assert hub.heard == [("subscribed", SHARD), ("taken away", SHARD)]
    assert hub.connection.is_open


async def test_what_is_taken_away_while_it_is_asked_for_anew_is_told_by_the_answer(hub: Hub) -> None:
    hub.connection.subscribe(SHARD)
    hub.receive(ended(SHARD) + MOVED)
    assert hub.heard == [("refused", SHARD, MOVED)]


async def test_the_moved_that_answers_an_end_is_not_taken_for_that_of_the_next_command(hub: Hub) -> None:
    other, namesake = Topic(Kind.SHARD, b"a"), Topic(Kind.CHANNEL, SHARD.name)
    hub.connection.unsubscribe(SHARD)
    hub.connection.subscribe(other)
    hub.connection.subscribe(namesake)
    # The node ends the subscription by itself, which looks like the answer, and then answers.
    hub.receive(ended(SHARD) + MOVED + confirmed(other) + MOVED + confirmed(namesake))
    assert hub.heard == [("subscribed", other), ("subscribed", namesake)]


async def test_only_the_moved_of_its_own_slot_refuses_a_sharded_channel(hub: Hub) -> None:
    hub.connection.subscribe(SHARD)
    hub.receive(MOVED_ELSEWHERE)
    assert hub.heard == []
    hub.receive(MOVED)
    assert hub.heard == [("refused", SHARD, MOVED)]


# -- its end


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"garbage\r\n", "a reply is no RESP"),
        (confirmed(NEWS), "a confirmation of nothing"),
        (b"+OK\r\n", "a reply to nothing"),
        (b"-ERR no\r\n", "a reply to nothing"),
        (b"*1\r\n:1\r\n", "an element is no bulk string"),
    ],
)
async def test_what_makes_no_sense_closes_it(hub: Hub, data: bytes, reason: str) -> None:
    hub.receive(data + MESSAGE)
    assert hub.heard == [("failed", reason)]
    assert hub.socket.is_closed
    assert hub.connection.phase is Phase.CLOSED


async def test_a_confirmation_out_of_order_closes_it(hub: Hub) -> None:
    hub.connection.subscribe(NEWS)
    hub.connection.subscribe(ALL)
    hub.receive(confirmed(ALL))
    assert hub.heard == [("failed", "a confirmation of nothing")]


async def test_the_end_of_the_node_is_told_once(hub: Hub) -> None:
    assert hub.connection.phase is Phase.OPEN
    hub.connection.on_eof()
    hub.connection.on_lost("broken")
    assert hub.heard == [("failed", "closed by the node")]
    assert hub.socket.is_closed


async def test_who_closes_it_is_told_nothing(hub: Hub) -> None:
    hub.connection.close()
    hub.connection.on_eof()
    assert hub.heard == []
    assert (hub.socket.is_closed, hub.connection.is_open) == (True, False)
