"""A request that fails is answered once, and counted as an error if it is counted at all."""

from __future__ import annotations

from rproxy.metrics.counters import CommandStats
from rproxy.upstream.request import Request
from tests.support.upstream import Replies


async def test_a_failed_request_is_answered_and_counted() -> None:
    replies, stats = Replies(), CommandStats()
    Request(b"x", replies, 3, stats, 0, True, 0, 0.0).fail(b"-ERR no\r\n")
    assert replies.delivered == [(3, b"-ERR no\r\n")]
    assert (stats.error, stats.success) == (1, 0)


async def test_a_request_need_not_be_counted() -> None:
    replies = Replies()
    Request(b"x", replies, 3, None, 0, True, 0, 0.0).fail(b"-ERR no\r\n")
    assert replies.delivered == [(3, b"-ERR no\r\n")]
