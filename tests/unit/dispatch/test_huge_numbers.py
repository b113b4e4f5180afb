"""Numbers of thousands of digits, which Python does not read, are refused in Redis's words like all too big ones."""

from __future__ import annotations

import pytest

from tests.support.dispatch import Dispatch
from tests.support.fake_node import FakeNode

HUGE = b"9" * 5000
NO_INTEGER = b"-ERR value is not an integer or out of range\r\n"
NO_TIMEOUT = b"-ERR timeout is not an integer or out of range\r\n"


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("ACL GENPASS", NO_INTEGER),
        ("ACL LOG", NO_INTEGER),
        ("CLIENT PAUSE", NO_TIMEOUT),
        ("CLIENT UNBLOCK", NO_INTEGER),
        ("CLUSTER COUNTKEYSINSLOT", NO_INTEGER),
        ("CLUSTER GETKEYSINSLOT 0", NO_INTEGER),
        ("SLOWLOG GET", b"-ERR count should be greater than or equal to -1\r\n"),
    ],
)
async def test_they_are_refused_here(dispatch: Dispatch, nodes: list[FakeNode], words: str, reply: bytes) -> None:
    assert await dispatch.call(*words.split(), HUGE) == reply
    assert not any(node.received for node in nodes)


@pytest.mark.parametrize(
    ("words", "reply"), [("WAIT 1", NO_TIMEOUT), ("WAITAOF 1 1", NO_TIMEOUT), ("SCAN 0 COUNT", NO_INTEGER)]
)
async def test_they_are_refused_by_the_nodes(
    dispatch: Dispatch, nodes: list[FakeNode], words: str, reply: bytes
) -> None:
    for node in nodes:
        node.answers |= {"PING": b"+PONG\r\n", words.split()[0]: reply}
    assert await dispatch.call(*words.split(), HUGE) == reply
