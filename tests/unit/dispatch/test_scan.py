"""SCAN over all shards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rproxy.dispatch.scan import INVALID_CURSOR
from rproxy.resp import encode
from rproxy.routing.scan_cursor import split_cursor
from rproxy.topology.read_policy import ReadPolicy
from rproxy.topology.shard_tags import marks_of
from rproxy.topology.snapshot import Endpoint, Topology
from tests.support.dispatch import Dispatch
from tests.support.fake_node import FakeNode
from tests.support.upstream import topology_of

DOWN = Endpoint("127.0.0.1", 1)


def page(cursor: int, *keys: bytes) -> bytes:
    return encode.array([encode.bulk(b"%d" % cursor), encode.reply(keys)])


def check_of(node: FakeNode) -> int:
    (mark,) = marks_of({node.endpoint: 1}, [node.endpoint])
    return mark.check


async def walk(dispatch: Dispatch, *options: str) -> list[bytes]:
    """All keys of an iteration of one key a page."""
    cursor, found = b"0", []
    while True:
        reply = await dispatch.call("SCAN", cursor, *options)
        cursor, *keys = (word for word in reply.split(b"\r\n")[:-1] if word[:1] not in b"*$")
        found += keys
        if cursor == b"0":
            return found


async def test_a_scan_walks_all_shards(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    for number, node in enumerate(nodes):
        node.answers["SCAN"] = [page(17, b"%d-0" % number), page(0, b"%d-1" % number)]
    found = await walk(dispatch, "COUNT", "1")
    assert sorted(found) == [b"0-0", b"0-1", b"1-0", b"1-1", b"2-0", b"2-1"]
    assert [node.received for node in nodes] == [
        [(b"SCAN", b"0", b"COUNT", b"1"), (b"SCAN", b"17", b"COUNT", b"1")]
    ] * 3


async def test_it_misses_no_shard_while_slots_move(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    for number, node in enumerate(nodes):
        node.answers["SCAN"] = [page(17, b"%d-0" % number), page(0, b"%d-1" % number)]
    cluster = dispatch.clusters["main"]
    cursor, found = b"0", []
    for slot in range(100):
        reply = await dispatch.call("SCAN", cursor, "COUNT", "1")
        cursor, key = (word for word in reply.split(b"\r\n")[:-1] if word[:1] not in b"*$")
        found.append(key)
        if cursor == b"0":
            break
        cluster.swap(cluster.topology.with_slot_moved(slot, nodes[slot % 3].endpoint))
    assert sorted(found) == [b"0-0", b"0-1", b"1-0", b"1-1", b"2-0", b"2-1"]


async def test_a_shard_with_a_new_primary_is_walked_again_and_the_others_still_are(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]
) -> None:
    # One of the two can be told from the old primary by its check, as good as certainly.
    old, new, other = sorted(nodes, key=lambda node: check_of(node) == check_of(nodes[0]) and node is not nodes[0])
    for node, name in ((old, b"old"), (other, b"other"), (new, b"new")):
        node.answers["SCAN"] = lambda command, name=name: page(9 if command[1] == b"0" else 0, name + command[1])
    dispatch = make_dispatch({"main": topology_of((old.endpoint, new.endpoint), (other.endpoint,))})
    cluster = dispatch.clusters["main"]
    cursor = b"0"
    found = []
    for _ in range(10):
        reply = await dispatch.call("SCAN", cursor, "COUNT", "1")
        cursor, key = (word for word in reply.split(b"\r\n")[:-1] if word[:1] not in b"*$")
        found.append(key)
        if key == b"old0":
            cluster.swap(topology_of((new.endpoint,), (other.endpoint,)))
        if cursor == b"0":
            break
    assert sorted(found) == [b"new0", b"new9", b"old0", b"other0", b"other9"]


async def test_a_cursor_counts_for_nothing_at_a_node_that_took_over_meanwhile(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]
) -> None:
    dispatch = make_dispatch({"main": Topology.standalone(nodes[0].endpoint)})

    def fail_over(_: Any) -> bytes:
        dispatch.clusters["main"].swap(Topology.standalone(nodes[1].endpoint))
        return page(17, b"a")

    nodes[0].answers["SCAN"] = fail_over
    reply = await dispatch.call("SCAN", "0", "COUNT", "1")
    cursor = reply.split(b"\r\n")[2]
    assert split_cursor(cursor, 1)[1] == 0
    assert cursor != b"0"


async def test_a_scan_stays_at_the_primary_whatever_the_read_policy(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]
) -> None:
    for node in nodes:
        node.answers |= {"SCAN": page(0, b"a"), "GET": b"$1\r\nv\r\n"}
    shards = topology_of((nodes[0].endpoint, nodes[1].endpoint, nodes[2].endpoint))
    dispatch = make_dispatch({"main": shards}, read_policy=ReadPolicy.REPLICA)
    for _ in range(4):
        await dispatch.call("SCAN", "0")
    assert [node.count("SCAN") for node in nodes] == [4, 0, 0]


async def test_small_shards_are_one_page(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    for number, node in enumerate(nodes):
        node.answers["SCAN"] = page(0, *[b"%d-%d" % (number, key) for key in range(number)])
    reply = await dispatch.call("SCAN", "0", "MATCH", "*")
    assert reply.startswith(b"*2\r\n$1\r\n0\r\n*3\r\n")
    assert {word for word in reply.split(b"\r\n") if b"-" in word} == {b"1-0", b"2-0", b"2-1"}
    assert [node.received for node in nodes] == [[(b"SCAN", b"0", b"MATCH", b"*")]] * 3


async def test_an_error_comes_after_the_keys_that_were_found_before_it(
    dispatch: Dispatch, nodes: list[FakeNode]
) -> None:
    said = [page(0, b"a"), b"-NOPERM no\r\n"]
    for node in nodes:
        node.answers["SCAN"] = lambda _: said.pop(0)
    reply = await dispatch.call("SCAN", "0")
    assert reply.endswith(b"*1\r\n$1\r\na\r\n")
    said = [b"-NOPERM no\r\n"]
    assert await dispatch.call("SCAN", reply.split(b"\r\n")[2]) == b"-NOPERM no\r\n"


async def test_a_page_asks_a_bounded_number_of_shards(make_dispatch: Callable[..., Dispatch], start_node: Any) -> None:
    many = [await start_node({"SCAN": page(0)}) for _ in range(20)]
    dispatch = make_dispatch({"main": topology_of(*((node.endpoint,) for node in many))})
    cursor = (await dispatch.call("SCAN", "0")).split(b"\r\n")[2]
    assert sum(node.count("SCAN") for node in many) == 16
    assert await dispatch.call("SCAN", cursor) == b"*2\r\n$1\r\n0\r\n*0\r\n"
    assert [node.count("SCAN") for node in many] == [1] * 20


async def test_a_cursor_beyond_the_shards_ends_the_walk(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    assert await dispatch.call("SCAN", str((1 << 22) - 1)) == b"*2\r\n$1\r\n0\r\n*0\r\n"
    assert [node.received for node in nodes] == [[], [], []]


@pytest.mark.parametrize("cursor", ["x", "-", "1 ", str(1 << 64)])
async def test_what_is_no_cursor_is_refused_as_redis_does(dispatch: Dispatch, cursor: str) -> None:
    assert await dispatch.call("SCAN", cursor) == INVALID_CURSOR == b"-ERR invalid cursor\r\n"


async def test_an_error_of_a_shard_is_the_reply_of_the_scan(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    for node in nodes:
        node.answers["SCAN"] = b"-ERR syntax error\r\n"
    assert await dispatch.call("SCAN", "0", "NOPE") == b"-ERR syntax error\r\n"


@pytest.mark.parametrize("is_partial", [False, True])
@pytest.mark.late
async def test_a_scan_skips_a_shard_that_is_down_only_if_a_setting_says_so(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode], is_partial: bool
) -> None:
    nodes[0].answers["SCAN"] = page(0, b"b")
    shards = topology_of((nodes[0].endpoint,), (DOWN,))
    dispatch = make_dispatch({"main": shards}, proxy_settings={"fan_out_partial": is_partial})
    if is_partial:
        assert await walk(dispatch) == [b"b"]
    else:
        first = await dispatch.call("SCAN", "0")
        cursor = first.split(b"\r\n")[2] if first.startswith(b"*") else b"0"
        assert b"-CLUSTERDOWN " in first + await dispatch.call("SCAN", cursor)
