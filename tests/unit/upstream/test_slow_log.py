"""The slow log: what is kept of a command, how much, and of whom."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rproxy.resp import encode
from rproxy.upstream.sink import DISCARD, Sink
from rproxy.upstream.slow_log import APART, ARGUMENTS_MOST, SlowLog, cut, slower_than
from tests.support.upstream import topology_of


class Asking(Sink):
    """The sink of a client with an address and a name."""

    def asker(self) -> tuple[str, bytes]:
        return "1.2.3.4:5", b"me"


def test_the_newest_comes_first_and_the_oldest_is_dropped() -> None:
    log = SlowLog(0.0, 2)
    for key in (b"a", b"b", b"c"):
        log.note(encode.command([b"GET", key]), Asking(), 0.25)
    newest, older = log.entries
    assert (newest.args, older.args) == ([b"GET", b"c"], [b"GET", b"b"])
    assert (newest.microseconds, newest.address, newest.name) == (250_000, "1.2.3.4:5", b"me")
    assert newest.number == older.number + 1
    log.resize(1)
    assert len(log.entries) == 1


def test_what_nobody_awaits_is_not_kept() -> None:
    log = SlowLog(0.0)
    log.note(encode.command([b"GET", b"a"]), DISCARD, 1.0)
    assert not log.entries


def test_long_commands_are_cut_as_redis_does() -> None:
    args = [b"MSET", *[b"x"] * 40]
    assert cut(args) == [*args[: ARGUMENTS_MOST - 1], b"... (10 more arguments)"]
    assert cut([b"SET", b"a", b"v" * 130]) == [b"SET", b"a", b"v" * 128 + b"... (2 more bytes)"]


def test_of_many_at_once_few_are_kept() -> None:
    log = SlowLog(0.0)
    assert [log.has_time(now) for now in (5.0, 5.0, 5.0 + APART / 2, 5.0 + APART, 6.0)] == [
        True,
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(("setting", "seconds"), [(None, math.inf), (0.0, 0.0), (0.01, 0.01)])
def test_the_threshold(setting: float | None, seconds: float) -> None:
    assert slower_than(setting) == seconds


@pytest.mark.parametrize(("seconds", "is_kept"), [(0.0, True), (60.0, False), (math.inf, False)])
async def test_an_answer_that_took_as_long_is_noted(
    start_node: Any, make_upstream: Any, seconds: float, is_kept: bool
) -> None:
    node = await start_node()
    upstream = make_upstream(topology_of((node.endpoint,)))
    upstream.cluster.slow_log.slower_than = seconds
    assert await upstream.call("SET", "a", "1") == b"+OK\r\n"
    assert [entry.args for entry in upstream.cluster.slow_log.entries] == ([[b"SET", b"a", b"1"]] if is_kept else [])
