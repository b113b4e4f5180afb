"""COMMAND DOCS: what a node says, or else rproxy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rproxy.resp import encode
from rproxy.topology.snapshot import Topology
from tests.support.dispatch import Dispatch
from tests.support.fake_node import FakeNode


async def test_a_node_is_asked_about_what_is_supported(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    told = encode.reply({b"get": {b"summary": b"Returns the value."}})
    nodes[0].answers["COMMAND DOCS"] = told
    assert await dispatch.call("COMMAND", "DOCS", "GET", "shutdown", "nope", "object|Freq") == told
    assert nodes[0].received == [(b"COMMAND", b"DOCS", b"get", b"object|freq")]


async def test_without_names_it_is_asked_about_everything(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    nodes[0].answers["COMMAND DOCS"] = encode.EMPTY_ARRAY
    assert await dispatch.call("command", "docs") == encode.EMPTY_ARRAY
    (asked,) = nodes[0].received
    assert b":%d\r\n" % (len(asked) - 2) == await dispatch.call("COMMAND", "COUNT")


@pytest.mark.parametrize("protocol", [2, 3])
async def test_an_older_node_gives_none(dispatch: Dispatch, nodes: list[FakeNode], protocol: int) -> None:
    dispatch.session.speak(protocol)
    for node in nodes:
        node.answers["COMMAND DOCS"] = b"-ERR Unknown subcommand or wrong number of arguments for 'docs'.\r\n"
    fields = {b"summary": b"Forwarded to the shard of its key.", b"since": b"1.0.0", b"group": b"string"}
    assert await dispatch.call("COMMAND", "DOCS", "GET") == encode.reply({b"get": fields}, protocol)


async def test_without_a_name_that_is_supported_nobody_is_asked(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    assert await dispatch.call("COMMAND", "DOCS", "nope") == encode.EMPTY_ARRAY
    assert nodes[0].received == []


async def test_without_a_topology_rproxy_tells(make_dispatch: Callable[..., Dispatch]) -> None:
    lonely = make_dispatch({"main": Topology.empty()})
    assert b"Forwarded to the shard" in await lonely.call("COMMAND", "DOCS", "GET")
