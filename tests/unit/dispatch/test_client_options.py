from __future__ import annotations

from collections.abc import Callable

import pytest

from rproxy.dispatch.client_options import NO_TRACKING, NOT_TRACKING, SYNTAX
from rproxy.topology.snapshot import Topology
from tests.support.dispatch import Dispatch


@pytest.fixture
async def local(make_dispatch: Callable[..., Dispatch]) -> Dispatch:
    """A dispatcher that has no node to ask."""
    return make_dispatch({"main": Topology.empty()})


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("CLIENT NO-EVICT ON", b"+OK\r\n"),
        ("CLIENT NO-EVICT maybe", SYNTAX),
        ("CLIENT NO-TOUCH off", b"+OK\r\n"),
        ("CLIENT TRACKING ON", NO_TRACKING),
        ("CLIENT TRACKING OFF", b"+OK\r\n"),
        ("CLIENT TRACKING foo", SYNTAX),
        ("CLIENT CACHING YES", NOT_TRACKING),
        ("CLIENT GETREDIR", b":-1\r\n"),
        ("CLIENT REPLY ON", b"+OK\r\n"),
        ("CLIENT REPLY foo", SYNTAX),
        (
            "CLIENT TRACKINGINFO",
            b"*6\r\n$5\r\nflags\r\n*1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n",
        ),
    ],
)
async def test_what_a_client_sets_for_itself(local: Dispatch, command: str, reply: bytes) -> None:
    assert await local.call(*command.split()) == reply


async def test_tracking_info_is_a_map_with_a_set_in_resp3(local: Dispatch) -> None:
    local.session.speak(3)
    assert (await local.call("CLIENT", "TRACKINGINFO")).startswith(b"%3\r\n$5\r\nflags\r\n~1\r\n")


async def replies_to(local: Dispatch, *commands: str) -> list[bytes]:
    tokens = [local.send(*command.split()) for command in commands]
    return [await local.reply(token) for token in tokens]


async def test_no_replies_until_they_are_wanted_again(local: Dispatch) -> None:
    commands = ["CLIENT REPLY OFF", "PING", "NOPE", "GET", "CLIENT REPLY SKIP", "CLIENT REPLY ON", "PING"]
    assert await replies_to(local, *commands) == [b"", b"", b"", b"", b"", b"+OK\r\n", b"+PONG\r\n"]


async def test_the_next_reply_is_skipped(local: Dispatch) -> None:
    commands = ["CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "PING", "PING"]
    assert await replies_to(local, *commands) == [b"", b"", b"", b"+PONG\r\n"]
    assert local.session.is_plain


async def test_skipping_and_then_replies_on(local: Dispatch) -> None:
    commands = ["CLIENT REPLY SKIP", "CLIENT REPLY ON", "PING"]
    assert await replies_to(local, *commands) == [b"", b"+OK\r\n", b"+PONG\r\n"]


async def test_reset_is_heard(local: Dispatch) -> None:
    assert await replies_to(local, "CLIENT REPLY OFF", "RESET", "PING") == [b"", b"+RESET\r\n", b"+PONG\r\n"]
