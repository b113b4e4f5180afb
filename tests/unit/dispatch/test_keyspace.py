"""The keys of all shards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rproxy.dispatch.keyspace import TOO_MANY_KEYS
from rproxy.dispatch.session import Session
from rproxy.resp import encode
from rproxy.topology.slots import hash_slot
from rproxy.topology.snapshot import Endpoint, Topology
from tests.support.dispatch import Dispatch
from tests.support.fake_node import SILENCE, FakeNode
from tests.support.upstream import topology_of

DOWN = Endpoint("127.0.0.1", 1)


def page(cursor: int, *keys: bytes) -> bytes:
    return encode.array([encode.bulk(b"%d" % cursor), encode.reply(keys)])


def have(nodes: list[FakeNode], *keys: bytes | None) -> None:
    for node, key in zip(nodes, keys, strict=True):
        node.answers |= {"RANDOMKEY": encode.reply(key), "DBSIZE": encode.integer(key is not None)}


# -- RANDOMKEY


@pytest.mark.parametrize(
    ("draw", "key"), [(0.0, b"b"), (0.0999, b"b"), (0.1001, b"c"), (0.29, b"c"), (0.31, b"a"), (0.999, b"a")]
)
async def test_a_random_key_is_drawn_by_the_sizes_of_the_shards(
    make_dispatch: Callable[..., Dispatch], topology: Topology, nodes: list[FakeNode], draw: float, key: bytes
) -> None:
    have(nodes, b"b", b"c", b"a")
    for node, size in zip(nodes, (10, 20, 70), strict=True):
        node.answers["DBSIZE"] = encode.integer(size)
    assert await make_dispatch({"main": topology}, draw=lambda: draw).call("RANDOMKEY") == encode.bulk(key)


async def test_a_shard_whose_keys_have_all_expired_gives_none(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    have(nodes, None, b"c", None)
    nodes[0].answers["DBSIZE"] = b":1000\r\n"
    assert await dispatch.call("RANDOMKEY") == encode.bulk(b"c")


async def test_without_any_key_a_random_one_is_null_in_the_words_of_the_client(
    dispatch: Dispatch, nodes: list[FakeNode]
) -> None:
    modern = Session(2, "", "", 0.0)
    modern.speak(3)
    have(nodes, None, None, None)
    assert await dispatch.call("RANDOMKEY") == b"$-1\r\n"
    for node in nodes:
        node.answers["RANDOMKEY"] = b"_\r\n"
    nodes[1].answers["HELLO"] = b"*0\r\n"
    assert await dispatch.call("RANDOMKEY", session=modern) == b"_\r\n"


@pytest.mark.parametrize("is_partial", [False, True])
@pytest.mark.late
async def test_a_shard_that_is_down_is_an_error_unless_a_setting_leaves_it_out(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode], is_partial: bool
) -> None:
    have(nodes, b"b", b"c", b"a")
    shards = topology_of((nodes[0].endpoint,), (DOWN,))
    dispatch = make_dispatch({"main": shards}, proxy_settings={"fan_out_partial": is_partial})
    reply = await dispatch.call("RANDOMKEY")
    assert reply == encode.bulk(b"b") if is_partial else reply.startswith(b"-CLUSTERDOWN ")


async def test_an_error_of_a_shard_is_the_answer(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    have(nodes, None, None, None)
    nodes[1].answers["DBSIZE"] = nodes[1].answers["RANDOMKEY"] = b"-NOPERM no\r\n"
    assert await dispatch.call("RANDOMKEY") == b"-NOPERM no\r\n"


# -- KEYS


async def test_all_keys_are_gathered_page_by_page_each_once(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[0].answers["SCAN"] = [page(5, b"a", b"b"), page(0, b"a")]
    nodes[1].answers["SCAN"] = page(0)
    nodes[2].answers["SCAN"] = page(0, b"c")
    reply = await dispatch.call("KEYS", "?")
    assert reply.startswith(b"*3\r\n")
    assert {word for word in reply.split(b"\r\n") if word[:1] not in b"*$"} - {b""} == {b"a", b"b", b"c"}
    assert nodes[0].received == [(b"SCAN", cursor, b"MATCH", b"?", b"COUNT", b"1000") for cursor in (b"0", b"5")]


async def test_no_keys_are_an_empty_array(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    for node in nodes:
        node.answers["SCAN"] = page(0)
    assert await dispatch.call("KEYS", "*") == b"*0\r\n"


async def test_more_keys_than_the_limit_are_an_error_and_no_more_is_asked(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]
) -> None:
    nodes[0].answers["SCAN"] = lambda command: page(int(command[1]) + 1, b"key:" + command[1])
    dispatch = make_dispatch(
        {"main": Topology.standalone(nodes[0].endpoint)}, proxy_settings={"keys_reply_limit": 1000}
    )
    assert await dispatch.call("KEYS", "*") == TOO_MANY_KEYS
    asked = nodes[0].count("SCAN")
    assert await dispatch.call("GET", "b") == b"$1\r\nb\r\n"
    assert nodes[0].count("SCAN") == asked < 100


async def test_the_clients_next_command_waits_for_the_keys(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    for node in nodes:
        node.answers["SCAN"] = page(0)
    token = dispatch.send("KEYS", "*")
    assert dispatch.session.is_held
    await dispatch.reply(token)
    assert not dispatch.session.is_held
    assert not dispatch.session.at_close


async def test_nothing_is_asked_for_a_client_that_has_left(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]
) -> None:
    dispatch = make_dispatch({"main": Topology.standalone(nodes[0].endpoint)})
    nodes[0].answers["SCAN"] = lambda command: (leave(), page(7, b"a"))[1]

    def leave() -> None:
        for farewell in list(dispatch.session.at_close):
            farewell()

    assert (await dispatch.call("KEYS", "*")).startswith(b"-")
    assert await dispatch.call("GET", "b") == b"$1\r\nb\r\n"
    assert nodes[0].count("SCAN") == 1


async def test_a_page_of_a_node_that_was_replaced_begins_anew(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]
) -> None:
    dispatch = make_dispatch({"main": Topology.standalone(nodes[0].endpoint)})

    def fail_over(_: Any) -> bytes:
        dispatch.clusters["main"].swap(Topology.standalone(nodes[1].endpoint))
        return page(0, b"a")

    nodes[0].answers["SCAN"] = fail_over
    nodes[1].answers["SCAN"] = page(0, b"b")
    assert await dispatch.call("KEYS", "*") == b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"


@pytest.mark.parametrize("is_partial", [False, True])
@pytest.mark.late
async def test_the_keys_of_a_shard_that_is_down_are_left_out_only_if_a_setting_says_so(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode], is_partial: bool
) -> None:
    nodes[0].answers["SCAN"] = page(0, b"b")
    shards = topology_of((nodes[0].endpoint,), (DOWN,))
    dispatch = make_dispatch({"main": shards}, proxy_settings={"fan_out_partial": is_partial})
    reply = await dispatch.call("KEYS", "*")
    assert reply == b"*1\r\n$1\r\nb\r\n" if is_partial else reply.startswith(b"-CLUSTERDOWN ")
    nodes[0].answers["SCAN"] = SILENCE
    assert (await dispatch.call("KEYS", "*")).startswith((b"-CLUSTERDOWN ", b"-ERR upstream "))


def test_the_keys_of_the_tests_lie_in_their_shards() -> None:
    assert [hash_slot(key) * 3 // 16384 for key in (b"b", b"c", b"a")] == [0, 1, 2]
