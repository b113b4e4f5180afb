"""Topics, and the pushes that tell of them."""

import pytest

from rproxy.topology.snapshot import Endpoint
from rproxy.upstream.subscription import Kind, PushError, Source, Subscription, Topic, Topics, strings_of
from tests.support.pubsub import push


def test_the_verbs_of_a_kind() -> None:
    assert [kind.subscribe for kind in Kind] == [b"subscribe", b"psubscribe", b"ssubscribe"]
    assert [kind.unsubscribe for kind in Kind] == [b"unsubscribe", b"punsubscribe", b"sunsubscribe"]
    assert [kind.message for kind in Kind] == [b"message", b"pmessage", b"smessage"]


def test_the_strings_of_a_push() -> None:
    assert strings_of(push("message", b"a\r\nb", ""), 3) == [b"message", b"a\r\nb", b""]
    assert strings_of(push("subscribe", "a", 1), 2) == [b"subscribe", b"a"]


@pytest.mark.parametrize("data", [push("subscribe", "a", 1), b"*3\r\n$-1\r\n+a\r\n:1\r\n", push("pong", "")])
def test_what_is_no_string_is_an_error(data: bytes) -> None:
    with pytest.raises(PushError):
        strings_of(data, 3)


def test_a_subscription_is_confirmed_when_all_its_sources_are() -> None:
    a, b, c = (Endpoint(name, 1) for name in "abc")
    subscription = Subscription(Topic(Kind.CHANNEL, b"a"))
    assert not subscription.is_confirmed
    subscription.sources = {a: Source.CONFIRMED, b: Source.ASKED, c: Source.LEAVING}
    assert not subscription.is_confirmed
    subscription.sources[b] = Source.CONFIRMED
    assert subscription.is_confirmed
    subscription.sources = {c: Source.LEAVING}
    assert not subscription.is_confirmed


def test_a_pattern_matches_channels() -> None:
    subscription = Subscription(Topic(Kind.PATTERN, b"n[ae]ws.*"))
    assert [subscription.matches(channel) for channel in (b"news.", b"naws.\n", b"news", b"nows.x")] == [
        True,
        True,
        False,
        False,
    ]


def test_topics_are_found_by_name_kind_and_match() -> None:
    topics = Topics()
    wanted = [
        Topic(Kind.CHANNEL, b"news"),
        Topic(Kind.PATTERN, b"n*"),
        Topic(Kind.PATTERN, b"x"),
        Topic(Kind.SHARD, b"news"),
    ]
    channel, pattern, other, sharded = (Subscription(topic) for topic in wanted)
    for subscription in (channel, pattern, other, sharded):
        topics.add(subscription)
    assert topics.by_which_is_heard(channel.topic) == [channel, pattern]
    assert topics.by_which_is_heard(sharded.topic) == [sharded]
    assert topics.of_kind(Kind.PATTERN) == [pattern, other]
    topics.remove(pattern.topic)
    assert topics.by_which_is_heard(channel.topic) == [channel]
    assert (topics.get(pattern.topic), len(topics), list(topics)) == (None, 3, [channel, other, sharded])
