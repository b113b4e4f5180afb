"""Watched keys before scripted nodes: the connection that watches, and what loses a transaction."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.dispatch import Dispatch
from tests.support.fake_node import CLOSE, FakeNode
from tests.unit.dispatch.test_transaction import ABORTED, DONE, IN_MULTI, UNIT, execute, moved


@pytest.fixture
async def nodes(start_node: Any) -> list[FakeNode]:
    return [await start_node(IN_MULTI) for _ in range(3)]


async def test_a_watch_has_a_connection_of_its_own(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    assert await dispatch.call("WATCH", "b") == b"+OK\r\n"
    assert await execute(dispatch) == DONE
    (peer,) = nodes[0].peers
    assert peer.commands == [(b"CLIENT", b"ID"), (b"WATCH", b"b"), *UNIT]


async def test_a_watch_follows_its_slot(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[0].answers["WATCH"] = moved(nodes[1])
    assert await dispatch.call("WATCH", "b") == b"+OK\r\n"
    assert await execute(dispatch) == DONE
    assert nodes[1].received[1:] == [(b"WATCH", b"b"), *UNIT]


async def test_keys_that_moved_after_they_were_watched_lose_the_transaction(
    dispatch: Dispatch, nodes: list[FakeNode]
) -> None:
    await dispatch.call("WATCH", "b")
    nodes[0].answers |= {"SET": moved(nodes[1]), "INCR": moved(nodes[1]), "EXEC": ABORTED}
    assert await execute(dispatch) == b"*-1\r\n"
    assert nodes[1].received == []


@pytest.mark.parametrize("line", [b"-CLUSTERDOWN Hash slot not served\r\n", b"-READONLY no\r\n"])
async def test_so_do_keys_whose_node_serves_them_no_more(
    dispatch: Dispatch, nodes: list[FakeNode], line: bytes
) -> None:
    await dispatch.call("WATCH", "b")
    nodes[0].answers |= {"SET": line, "INCR": line, "EXEC": ABORTED}
    assert await execute(dispatch) == b"*-1\r\n"


async def test_a_lost_watch_loses_the_transaction(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    await dispatch.call("WATCH", "b")
    nodes[0].peers[0].close()
    watch = dispatch.session.watch
    assert watch is not None
    await dispatch.until(lambda: not watch.connection.is_open)
    assert await execute(dispatch) == b"*-1\r\n"
    assert nodes[0].count("EXEC") == 0


async def test_a_watched_transaction_that_was_cut_off_may_have_been_executed(
    dispatch: Dispatch, nodes: list[FakeNode]
) -> None:
    await dispatch.call("WATCH", "b")
    nodes[0].answers["EXEC"] = CLOSE
    assert b"it may have been executed" in await execute(dispatch)
    assert dispatch.clusters["main"].failures == {"connection_lost": 1}


async def test_a_client_that_leaves_lets_go_of_its_watch(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    await dispatch.call("WATCH", "b")
    dispatch.session.let_go()
    await nodes[0].until_closed(0)
    assert (dispatch.session.watch, dispatch.session.at_close) == (None, set())


async def test_unwatch_gives_the_connection_back(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    await dispatch.call("WATCH", "b")
    assert await dispatch.call("UNWATCH") == b"+OK\r\n"
    pins = dispatch.clusters["main"].pools.get(nodes[0].endpoint, is_readonly=False).pins
    await dispatch.until(lambda: pins.count() == (0, 1))
    assert await dispatch.call("WATCH", "b") == b"+OK\r\n"
    assert len(nodes[0].peers) == 1
