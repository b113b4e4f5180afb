from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from rproxy.commands.lookup import COMMANDS
from rproxy.dispatch.parts import Parts, heard, is_silence, may_be_partial, primary_of
from tests.support.dispatch import Dispatch
from tests.support.fake_node import FakeNode
from tests.support.upstream import topology_of

DOWN = b"-CLUSTERDOWN no endpoint\r\n"


def test_the_replies_come_in_the_order_of_the_parts_when_the_last_is_there() -> None:
    finished: list[list[bytes]] = []
    parts = Parts(3, finished.append)
    parts.deliver(2, b"..c..", 2, 3)
    parts.deliver(0, b"a", 0, 1)
    assert finished == []
    parts.deliver(1, b"xb", 1, 2)
    assert finished == [[b"a", b"b", b"c"]]


def test_a_reply_outlives_the_chunk_that_it_came_in() -> None:
    finished: list[list[bytes]] = []
    parts, chunk = Parts(2, finished.append), bytearray(b"a")
    parts.deliver(0, chunk, 0, 1)
    chunk[:] = b"z"
    parts.deliver(1, chunk, 0, 1)
    assert finished == [[b"a", b"z"]]


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ([b":1\r\n", DOWN, b":3\r\n"], [b":1\r\n", b":3\r\n"]),
        ([DOWN, b"-LOADING x\r\n"], [DOWN, b"-LOADING x\r\n"]),
        ([b"-MASTERDOWN x\r\n", b"-ERR upstream 127.0.0.1:1 was lost\r\n", b"-ERR no\r\n"], [b"-ERR no\r\n"]),
    ],
)
def test_shards_that_could_not_answer_are_left_out_unless_none_could(
    replies: list[bytes], expected: list[bytes]
) -> None:
    assert heard(replies) == expected


@pytest.mark.parametrize("reply", [b"-ERR upstreamer\r\n", b"-NOAUTH x\r\n", b"$12\r\n-CLUSTERDOWN\r\n", b""])
def test_an_answer_is_no_silence(reply: bytes) -> None:
    assert not is_silence(reply)


@pytest.mark.parametrize(
    ("name", "is_allowed", "expected"),
    [
        ("DBSIZE", True, True),
        ("DBSIZE", False, False),
        ("KEYS", True, True),
        ("FLUSHALL", True, False),
        ("SCRIPT|LOAD", True, False),
        ("SCRIPT|EXISTS", True, True),
    ],
)
def test_what_changes_something_is_never_partial(name: str, is_allowed: bool, expected: bool) -> None:
    spec = COMMANDS.get(name.partition("|")[0].encode())
    assert spec is not None
    spec = (spec.subcommands or {}).get(name.partition("|")[2].encode(), spec)
    context: Any = SimpleNamespace(settings=SimpleNamespace(fan_out_partial=is_allowed))
    command: Any = SimpleNamespace(spec=spec)
    assert may_be_partial(command, context) is expected


async def test_the_primary_of_a_shard_is_that_of_now(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]
) -> None:
    cluster = make_dispatch({"main": topology_of((nodes[0].endpoint,), (nodes[1].endpoint,))}).clusters["main"]
    assert (primary_of((cluster, 0)), primary_of((cluster, 16383))) == (nodes[0].endpoint, nodes[1].endpoint)
    cluster.swap(topology_of((nodes[2].endpoint,), (nodes[1].endpoint,)))
    assert primary_of((cluster, 0)) == nodes[2].endpoint
    cluster.swap(topology_of((nodes[2].endpoint,)).empty())
    assert primary_of((cluster, 0)) is None
