"""CLUSTER: rproxy shows itself as a cluster of one node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hiredis
import pytest

from rproxy.dispatch.one_node import node_id
from rproxy.dispatch.session import Session
from rproxy.resp import encode
from rproxy.routing.routes import Route
from rproxy.topology.snapshot import Endpoint, Topology
from tests.support.dispatch import Dispatch
from tests.support.fake_node import FakeNode
from tests.support.upstream import topology_of

HERE = Endpoint("127.0.0.1", 2)
"""Where the session of ``Dispatch`` found rproxy."""
ID = node_id(HERE)


@pytest.fixture
async def lonely(make_dispatch: Callable[..., Dispatch]) -> Dispatch:
    """A dispatcher that has no node to ask."""
    return make_dispatch({"main": Topology.empty()})


def read(reply: bytes) -> Any:
    reader = hiredis.Reader()
    reader.feed(reply)
    return reader.gets()


def test_the_id_is_that_of_the_address_in_40_hexadecimal_digits() -> None:
    assert len(ID) == 40
    assert int(ID, 16) > 0
    assert ID == node_id(Endpoint("127.0.0.1", 2)) != node_id(Endpoint("127.0.0.1", 3))


@pytest.mark.parametrize(
    ("local_address", "expected"),
    [
        ("127.0.0.1:6380", Endpoint("127.0.0.1", 6380)),
        ("[2001:db8::1]:6380", Endpoint("2001:db8::1", 6380)),
        ("[::ffff:10.0.0.7]:6380", Endpoint("10.0.0.7", 6380)),
        ("/run/rproxy.sock", Endpoint("", 0)),
        ("unix", Endpoint("", 0)),
    ],
)
async def test_the_node_is_where_the_client_found_it(lonely: Dispatch, local_address: str, expected: Endpoint) -> None:
    session = Session(7, "", local_address, 0.0)
    host, port, *_ = read(await lonely.call("CLUSTER", "SLOTS", session=session))[0][2]
    assert Endpoint(host.decode(), port) == expected


async def test_a_configured_address_goes_before_it(lonely: Dispatch) -> None:
    lonely.context.cluster_announce = Endpoint("redis.example.com", 6380)
    assert read(await lonely.call("CLUSTER", "SLOTS"))[0][2][:2] == [b"redis.example.com", 6380]
    assert b" redis.example.com:6380@16380 myself" in await lonely.call("CLUSTER", "NODES")


async def test_every_form_of_the_map_names_the_same_node(lonely: Dispatch) -> None:
    assert read(await lonely.call("CLUSTER", "MYID")) == ID
    assert read(await lonely.call("CLUSTER", "SLOTS")) == [[0, 16383, [b"127.0.0.1", 2, ID, []]]]
    line = ID + b" 127.0.0.1:2@10002 myself,master - 0 0 1 connected 0-16383\n"
    assert read(await lonely.call("CLUSTER", "NODES")) == line
    ((_, slots, _, (facts,)),) = read(await lonely.call("CLUSTER", "SHARDS"))
    assert slots == [0, 16383]
    assert facts[:6] == [b"id", ID, b"port", 2, b"ip", b"127.0.0.1"]
    assert len(read(await lonely.call("CLUSTER", "MYSHARDID"))) == 40


async def test_maps_and_texts_are_those_of_resp3(lonely: Dispatch) -> None:
    lonely.session.speak(3)
    assert (await lonely.call("CLUSTER", "SLOTS")).endswith(ID + b"\r\n%0\r\n")
    assert (await lonely.call("CLUSTER", "SHARDS")).startswith(b"*1\r\n%2\r\n$5\r\nslots\r\n")
    assert (await lonely.call("CLUSTER", "INFO")).startswith(b"=316\r\ntxt:cluster_state:ok\r\n")


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        (["KEYSLOT", "a"], b":15495\r\n"),
        (["KEYSLOT", "{user}x"], b":5474\r\n"),
        (["LINKS"], b"*0\r\n"),
        (["REPLICAS", ID], b"*0\r\n"),
        (["SLAVES", ID.upper()], b"*0\r\n"),
        (["COUNT-FAILURE-REPORTS", ID], b":0\r\n"),
        (["REPLICAS", "x"], b"-ERR Unknown node x\r\n"),
        (["COUNTKEYSINSLOT", "x"], b"-ERR value is not an integer or out of range\r\n"),
        (["COUNTKEYSINSLOT", "16384"], b"-ERR Invalid slot\r\n"),
        (["GETKEYSINSLOT", "1", "01"], b"-ERR value is not an integer or out of range\r\n"),
        (["GETKEYSINSLOT", "1", str(2**63)], b"-ERR value is not an integer or out of range\r\n"),
        (["GETKEYSINSLOT", "-1", "1"], b"-ERR Invalid slot or number of keys\r\n"),
        (["GETKEYSINSLOT", "1", "-1"], b"-ERR Invalid slot or number of keys\r\n"),
        (["NOPE"], b"-ERR unknown subcommand 'NOPE'. Try CLUSTER HELP.\r\n"),
        (["MEET", "a", "1"], b"-ERR CLUSTER MEET is not available through rproxy: it acts on one node\r\n"),
    ],
)
async def test_what_is_answered_here(lonely: Dispatch, words: list[str | bytes], reply: bytes) -> None:
    assert await lonely.call("CLUSTER", *words) == reply


async def test_a_slot_is_looked_into_where_it_is_served(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    for index, node in enumerate(nodes):
        node.answers["CLUSTER COUNTKEYSINSLOT"] = encode.integer(index)
        node.answers["CLUSTER GETKEYSINSLOT"] = encode.array([encode.bulk(b"key")])
    assert await dispatch.call("CLUSTER", "COUNTKEYSINSLOT", "16383") == b":2\r\n"
    assert await dispatch.call("CLUSTER", "GETKEYSINSLOT", "0", "10") == b"*1\r\n$3\r\nkey\r\n"
    assert nodes[0].received[-1] == (b"CLUSTER", b"GETKEYSINSLOT", b"0", b"10")


async def test_a_slot_of_an_unknown_cluster(lonely: Dispatch) -> None:
    assert (await lonely.call("CLUSTER", "COUNTKEYSINSLOT", "0")).startswith(b"-CLUSTERDOWN")


async def test_a_slot_of_several_clusters(nodes: list[FakeNode], make_dispatch: Callable[..., Dispatch]) -> None:
    for node in nodes:
        node.answers["CLUSTER COUNTKEYSINSLOT"] = encode.integer(2)
    topologies = {name: topology_of((node.endpoint,)) for name, node in zip(("main", "other"), nodes, strict=False)}
    dispatch = make_dispatch(topologies, routes=[Route("other", b"o:")])
    assert await dispatch.call("CLUSTER", "COUNTKEYSINSLOT", "5") == b":4\r\n"
