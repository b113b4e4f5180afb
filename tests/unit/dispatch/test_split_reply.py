"""Replies of fragments, in any order, become the reply of the command; both forms alike."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.commands.lookup import COMMANDS
from rproxy.dispatch.fragments import Fragments
from rproxy.dispatch.session import Session
from rproxy.metrics.counters import CommandStats
from rproxy.resp import encode
from rproxy.resp.wire import COMMAND, RequestScanner
from rproxy.transport.connection import Turn
from rproxy.upstream.sink import Sink
from tests.support.forms import forms

FORMS = forms("dispatch.split_reply")
each_form = pytest.mark.parametrize("module", FORMS, ids=lambda form: form.__name__)


class Heard(Sink):
    """Remembers what is delivered."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, bytes]] = []

    def deliver(self, token: int, chunk: Any, start: int, end: int) -> None:
        self.replies.append((token, bytes(chunk[start:end])))


class Split:
    """A split command whose fragments' replies a test gives."""

    def __init__(self, module: ModuleType, arguments: list[bytes]) -> None:
        loop = asyncio.new_event_loop()
        scanner = RequestScanner()
        data = encode.command(arguments)
        assert scanner.next(data, 0, len(data)) == COMMAND
        spec = COMMANDS.get(arguments[0])
        self.fragments = Fragments(spec, scanner)
        self.heard = Heard()
        self.stats = CommandStats()
        self.session = Session(1, "", "", 0.0)
        policy, fragments = spec.response_policy, self.fragments
        self.sink = module.SplitReply(policy, fragments, self.heard, 7, self.stats, Turn(loop), self.session)
        assert self.session.load == fragments.count - 1
        loop.close()

    def give(self, fragment: int, reply: bytes) -> None:
        self.sink.deliver(fragment, bytearray(b"..") + reply + b"..", 2, 2 + len(reply))

    def outcome(self) -> bytes:
        ((token, reply),) = self.heard.replies
        assert token == 7
        assert self.stats.error == reply.startswith(b"-")
        assert self.stats.success + self.stats.error == 1
        assert self.session.load == 0
        return reply


KEYS = [b"a", b"b", b"{a}1", b"c", b"{b}2"]


@given(st.permutations(range(3)), st.lists(st.none() | st.binary(max_size=100), min_size=5, max_size=5))
def test_values_come_back_in_the_order_of_the_keys(order: list[int], values: list[bytes | None]) -> None:
    for module in FORMS:
        split = Split(module, [b"MGET", *KEYS])
        parts = {0: [0, 2], 1: [1, 4], 2: [3]}
        for fragment in order:
            assert split.heard.replies == []
            split.give(fragment, encode.reply([values[key] for key in parts[fragment]]))
        assert split.outcome() == encode.reply(values)


@each_form
def test_counts_are_summed(module: ModuleType) -> None:
    split = Split(module, [b"DEL", *KEYS])
    for fragment, reply in enumerate([b":2\r\n", b":40\r\n", b":0\r\n"]):
        split.give(fragment, reply)
    assert split.outcome() == b":42\r\n"


@each_form
def test_all_have_succeeded(module: ModuleType) -> None:
    split = Split(module, [b"MSET", b"a", b"1", b"b", b"2"])
    split.give(1, b"+OK\r\n")
    split.give(0, b"+OK\r\n")
    assert split.outcome() == b"+OK\r\n"


@pytest.mark.parametrize("command", [[b"MGET", b"a", b"b"], [b"DEL", b"a", b"b"], [b"MSET", b"a", b"1", b"b", b"2"]])
@each_form
def test_an_error_is_the_answer_of_the_whole(module: ModuleType, command: list[bytes]) -> None:
    split = Split(module, command)
    split.give(1, b"-OOM no\r\n")
    split.give(0, {b"M": b"*1\r\n$-1\r\n", b"D": b":1\r\n"}[command[0][:1]])
    assert split.outcome() == b"-OOM no\r\n"


@pytest.mark.parametrize(
    "odd", [b":many\r\n", b":1_0\r\n", b":\r\n", b":" + b"9" * 5000 + b"\r\n", b"+1\r\n", b"$1\r\n1\r\n"]
)
@each_form
def test_a_count_that_is_no_number_is_an_error(module: ModuleType, odd: bytes) -> None:
    split = Split(module, [b"DEL", b"a", b"b"])
    split.give(0, odd)
    split.give(1, b":1\r\n")
    assert split.outcome().startswith(b"-ERR ")


@each_form
def test_counts_too_large_for_a_reply_are_an_error(module: ModuleType) -> None:
    split = Split(module, [b"DEL", b"a", b"b"])
    split.give(0, b":9223372036854775807\r\n")
    split.give(1, b":1\r\n")
    assert split.outcome().startswith(b"-ERR ")


@each_form
def test_of_several_errors_that_of_the_first_fragment_is_the_answer(module: ModuleType) -> None:
    split = Split(module, [b"MGET", b"a", b"b", b"c"])
    split.give(2, b"+OK\r\n")
    split.give(1, b"-ERR second\r\n")
    split.give(0, b"-ERR first\r\n")
    assert split.outcome() == b"-ERR first\r\n"


@pytest.mark.parametrize("odd", [b"+OK\r\n", b"*0\r\n", b"*2\r\n:1\r\n:2\r\n"])
@each_form
def test_replies_of_another_kind_are_an_error(module: ModuleType, odd: bytes) -> None:
    split = Split(module, [b"MGET", b"a", b"b"])
    split.give(0, b"*1\r\n$-1\r\n")
    split.give(1, odd)
    assert split.outcome().startswith(b"-ERR ")
