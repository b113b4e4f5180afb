from __future__ import annotations

from rproxy.commands.lookup import COMMANDS
from rproxy.dispatch.command import Command
from rproxy.dispatch.session import Session
from tests.support.upstream import Replies


def test_a_reply_goes_whole_to_the_commands_place() -> None:
    heard = Replies()
    Command(COMMANDS.get(b"PING"), [b"PING"], b"PING\r\n", Session(1, "", "", 0.0), heard, 5).reply(b"+PONG\r\n")
    assert heard.delivered == [(5, b"+PONG\r\n")]
