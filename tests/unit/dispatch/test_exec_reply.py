"""The reply to EXEC, with what rproxy answers itself in its place."""

from __future__ import annotations

import pytest

from rproxy.commands.lookup import COMMANDS
from rproxy.dispatch.command import Command
from rproxy.dispatch.exec_reply import ExecReply, elements_of
from rproxy.dispatch.session import Session
from rproxy.resp import encode
from tests.support.upstream import Replies


def command_to(sink: Replies, name: bytes) -> Command:
    return Command(COMMANDS.get(name), [name], b"", Session(1, "", "", 0.0), sink, 3)


@pytest.mark.parametrize(
    ("indexes", "reply", "expected"),
    [
        ([], b"*1\r\n:1\r\n", b"*1\r\n:1\r\n"),
        ([0], b"*1\r\n:1\r\n", b"*2\r\n+PONG\r\n:1\r\n"),
        (
            [1],
            b"*2\r\n*2\r\n$1\r\na\r\n_\r\n%1\r\n+k\r\n:1\r\n",
            b"*3\r\n*2\r\n$1\r\na\r\n_\r\n+PONG\r\n%1\r\n+k\r\n:1\r\n",
        ),
        ([0, 2], b"*1\r\n$2\r\n\r\n\r\n", b"*3\r\n+PONG\r\n$2\r\n\r\n\r\n+PONG\r\n"),
        ([0], b"*-1\r\n", b"*-1\r\n"),
        ([0], b"_\r\n", b"_\r\n"),
        ([0], b"-EXECABORT no\r\n", b"-EXECABORT no\r\n"),
        ([0, 1], b"*0\r\n", b"*2\r\n+PONG\r\n+PONG\r\n"),
    ],
)
def test_local_replies_stand_in_their_places(indexes: list[int], reply: bytes, expected: bytes) -> None:
    replies = Replies()
    local = [(index, command_to(replies, b"PING")) for index in indexes]
    exec_reply = ExecReply(command_to(replies, b"EXEC"), local, lambda queued: queued.reply(encode.PONG))
    exec_reply.deliver(0, b"xx" + reply, 2, len(reply) + 2)
    assert replies.delivered == [(3, expected)]


def test_commands_that_answer_later_are_waited_for() -> None:
    replies, waiting = Replies(), []
    local = [(0, command_to(replies, b"PING")), (2, command_to(replies, b"TIME"))]
    ExecReply(command_to(replies, b"EXEC"), local, waiting.append).finish(b"*1\r\n:1\r\n")
    for queued in reversed(waiting):
        assert replies.delivered == []
        queued.reply(b"+%b\r\n" % queued.spec.name)
    assert replies.delivered == [(3, b"*3\r\n+PING\r\n:1\r\n+TIME\r\n")]


def test_the_first_error_is_the_cause() -> None:
    exec_reply = ExecReply(command_to(Replies(), b"EXEC"), [], lambda queued: None)
    assert exec_reply.cause(b"-EXECABORT\r\n") == b"-EXECABORT\r\n"
    exec_reply.absorb(0, b"-MOVED 1 a:1\r\n")
    exec_reply.absorb(0, b"-MOVED 1 b:1\r\n")
    assert exec_reply.cause(b"-EXECABORT\r\n") == b"-MOVED 1 a:1\r\n"
    assert exec_reply.cause(b"-EXECABORT\r\n") == b"-EXECABORT\r\n"


def test_elements() -> None:
    assert elements_of(b"*3\r\n:1\r\n$0\r\n\r\n*1\r\n*0\r\n") == [b":1\r\n", b"$0\r\n\r\n", b"*1\r\n*0\r\n"]
    assert elements_of(b"*0\r\n") == []


def test_the_replies_of_the_node_are_amended_before_others_are_put_among_them() -> None:
    replies = Replies()

    def amend(elements: list[bytes]) -> None:
        elements[1] = b":7\r\n"

    for local, expected in (([], b"*2\r\n+OK\r\n:7\r\n"), ([0], b"*3\r\n+PONG\r\n+OK\r\n:7\r\n")):
        queued = [(index, command_to(replies, b"PING")) for index in local]
        reply = ExecReply(command_to(replies, b"EXEC"), queued, lambda one: one.reply(encode.PONG), amend)
        reply.finish(b"*2\r\n+OK\r\n:1\r\n")
        assert replies.delivered[-1] == (3, expected)
        reply.finish(b"*-1\r\n")
        assert replies.delivered[-1] == (3, b"*-1\r\n")
