"""Counting the clients of other workers."""

from __future__ import annotations

from rproxy.upstream.elsewhere import ALONE, Elsewhere, Share
from rproxy.upstream.subscription import Kind, Topic

NEWS, SHARD_NEWS, PATTERN = Topic(Kind.CHANNEL, b"news"), Topic(Kind.SHARD, b"news"), Topic(Kind.PATTERN, b"n*")
HERE, THERE = "127.0.0.1:1", "127.0.0.1:2"


def share(topic: Topic, clients: int, *sources: str) -> Share:
    return Share(topic, clients, frozenset(sources))


def test_a_share_counts_once_at_its_source_and_its_clients_are_more() -> None:
    elsewhere = Elsewhere()
    assert elsewhere.take(1, 1, [share(NEWS, 3, HERE), share(PATTERN, 2, THERE), share(SHARD_NEWS, 5, HERE)], False)
    assert elsewhere.take(2, 1, [share(NEWS, 1, HERE)], False)
    assert elsewhere.uncounted(NEWS, HERE) == (3 - 1) + 2 + (1 - 1)
    assert elsewhere.uncounted(NEWS, THERE) == 3 + (2 - 1) + 1
    assert elsewhere.uncounted(SHARD_NEWS, HERE) == 4
    assert elsewhere.uncounted(Topic(Kind.CHANNEL, b"none"), HERE) == 2
    assert elsewhere.uncounted(Topic(Kind.CHANNEL, b"other"), HERE) == 0


def test_the_last_that_was_told_counts() -> None:
    elsewhere = Elsewhere()
    assert elsewhere.take(1, 1, [share(NEWS, 3, HERE), share(PATTERN, 1, HERE)], False)
    assert elsewhere.take(1, 2, [share(NEWS, 2, HERE), share(PATTERN, 0)], False)
    assert elsewhere.uncounted(NEWS, HERE) == 1
    assert elsewhere.take(1, 3, [share(NEWS, 0)], False)
    assert not elsewhere


def test_what_was_missed_is_found_out() -> None:
    elsewhere = Elsewhere()
    assert elsewhere.take(1, 1, [share(NEWS, 3, HERE)], False)
    assert not elsewhere.take(1, 3, [share(PATTERN, 3, HERE)], False)
    assert elsewhere.take(1, 4, [share(PATTERN, 9, HERE)], True)
    assert elsewhere.uncounted(NEWS, HERE) == 8
    assert elsewhere.take(1, 5, [], False)


def test_a_worker_that_starts_anew_has_nothing() -> None:
    elsewhere = Elsewhere()
    elsewhere.take(1, 1, [share(NEWS, 3, HERE), share(PATTERN, 3, HERE)], False)
    elsewhere.take(2, 1, [share(NEWS, 2, HERE)], False)
    elsewhere.forget(1)
    assert elsewhere.uncounted(NEWS, HERE) == 1
    assert elsewhere.take(1, 1, [], False)


def test_nobody_is_told_by_a_worker_that_is_alone() -> None:
    told: list[bool] = []
    ALONE.changed(NEWS)
    assert ALONE.all_shares() == []
    ALONE.when_told(lambda: told.append(True))
    assert told == [True]
