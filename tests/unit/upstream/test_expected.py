from __future__ import annotations

from rproxy.upstream.expected import Expected
from rproxy.upstream.subscription import Claim, Kind, Subscription, Topic

NEWS = Topic(Kind.CHANNEL, b"news")


def claim(kind: Kind, name: bytes) -> Claim:
    return Claim(Subscription(Topic(kind, name)), lambda error: None, 0.0)


def test_a_message_waits_for_all_who_will_hear_it_and_is_published_once() -> None:
    expected, published = Expected(), list[str]()
    claims = [claim(Kind.CHANNEL, b"news"), claim(Kind.PATTERN, b"n*"), claim(Kind.CHANNEL, b"other")]
    for one in claims:
        expected.add(one)
    assert expected.holds([NEWS], lambda: published.append("first"))
    expected.remove(claims[0])
    assert expected.holds([NEWS], lambda: published.append("second"))
    assert published == []
    expected.remove(claims[1])
    assert published == ["first", "second"]
    expected.remove(claims[1])
    expected.remove(claims[2])
    assert published == ["first", "second"]


def test_who_asks_later_is_not_waited_for() -> None:
    expected, published = Expected(), list[str]()
    early, late = claim(Kind.CHANNEL, b"news"), claim(Kind.CHANNEL, b"news")
    expected.add(early)
    expected.holds([NEWS], lambda: published.append("x"))
    expected.add(late)
    expected.remove(early)
    assert published == ["x"]


def test_what_nobody_awaits_is_not_held_nor_published_here() -> None:
    expected, published = Expected(), list[str]()
    other = claim(Kind.SHARD, b"news")
    expected.add(other)
    assert not expected.holds([NEWS], lambda: published.append("x"))
    expected.remove(other)
    assert published == []


def test_messages_of_several_topics_wait_for_each_claim_once() -> None:
    expected, published = Expected(), list[str]()
    both, one = claim(Kind.PATTERN, b"*"), claim(Kind.CHANNEL, b"other")
    expected.add(both)
    expected.add(one)
    assert expected.holds([NEWS, Topic(Kind.CHANNEL, b"other")], lambda: published.append("x"))
    expected.remove(both)
    assert published == []
    expected.remove(one)
    assert published == ["x"]


def test_a_message_that_is_published_may_have_the_next_one_held() -> None:
    """Publishing sends, and what is sent may be refused at once: then others ask anew."""
    expected, published = Expected(), list[str]()
    first, second = claim(Kind.CHANNEL, b"news"), claim(Kind.CHANNEL, b"news")

    def publish() -> None:
        expected.add(second)
        expected.holds([NEWS], lambda: published.append("later"))

    expected.add(first)
    expected.holds([NEWS], publish)
    expected.remove(first)
    assert published == []
    expected.remove(second)
    assert published == ["later"]
