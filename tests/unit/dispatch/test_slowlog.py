from __future__ import annotations

import time
from typing import Any

import pytest

from rproxy.dispatch.crew import Crew, Then
from rproxy.resp import encode
from rproxy.upstream.slow_log import SlowCommand
from tests.support.dispatch import Dispatch


class Others:
    """The other workers, whose answers are given."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def ask(self, listener: str, question: str, argument: Any, then: Then) -> None:
        then(self.answers)

    def tell(self, worker_id: int, listener: str, question: str, argument: Any) -> None:
        pass


def note(dispatch: Dispatch, number: int, moment: int, *args: bytes) -> None:
    entry = SlowCommand(number, moment, 15_000, list(args), "127.0.0.1:9", b"me")
    dispatch.clusters["main"].slow_log.entries.appendleft(entry)


def shown(number: int, moment: int, *args: bytes) -> encode.Value:
    return [number, moment, 15_000, list(args), b"127.0.0.1:9", b"me"]


def theirs(number: int, moment: int, *args: str) -> list[Any]:
    return [number, moment, 15_000, list(args), "127.0.0.1:9", "me"]


async def test_the_newest_of_all_workers_come_first(dispatch: Dispatch) -> None:
    crew = Crew("redis", 1, 2, Others([theirs(6, 30, "GET", "\xff"), theirs(4, 10, "GET", "a")]))
    crew.answer = dispatch.context.crew.answer
    dispatch.context.crew = crew
    note(dispatch, 0, 10, b"SET", b"k", b"\xfe")
    note(dispatch, 1, 20, b"DEL", b"k")
    all_four = [
        shown(6, 30, b"GET", b"\xff"),
        shown(3, 20, b"DEL", b"k"),
        shown(4, 10, b"GET", b"a"),
        shown(1, 10, b"SET", b"k", b"\xfe"),
    ]
    assert await dispatch.call("SLOWLOG", "GET") == encode.reply(all_four)
    assert await dispatch.call("SLOWLOG", "GET", "-1") == encode.reply(all_four)
    assert await dispatch.call("SLOWLOG", "GET", "2") == encode.reply(all_four[:2])
    assert await dispatch.call("SLOWLOG", "GET", "0") == b"*0\r\n"
    assert await dispatch.call("SLOWLOG", "LEN") == b":4\r\n"


async def test_ten_are_shown_unless_more_are_asked_for(dispatch: Dispatch) -> None:
    for number in range(12):
        note(dispatch, number, int(time.time()), b"GET", b"a")
    assert (await dispatch.call("SLOWLOG", "GET")).startswith(b"*10\r\n*6\r\n:11\r\n")
    assert (await dispatch.call("SLOWLOG", "GET", "100")).startswith(b"*12\r\n")
    assert await dispatch.call("SLOWLOG", "RESET") == b"+OK\r\n"
    assert await dispatch.call("SLOWLOG", "LEN") == b":0\r\n"


async def test_no_password_is_shown(dispatch: Dispatch) -> None:
    note(dispatch, 0, 1, b"AUTH", b"hushhush")
    assert b"hushhush" not in await dispatch.call("SLOWLOG", "GET")


@pytest.mark.parametrize("count", ["-2", "x", "1.0", "01", "9223372036854775808"])
async def test_a_count_that_makes_no_sense_is_refused(dispatch: Dispatch, count: str) -> None:
    refused = b"-ERR count should be greater than or equal to -1\r\n"
    assert await dispatch.call("SLOWLOG", "GET", count) == refused
