"""Reports of all primaries as one, and rproxy's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rproxy.dispatch.node_reports import SPECIAL
from rproxy.metrics.counters import BUCKETS
from rproxy.metrics.samples import Histogram
from rproxy.resp import encode
from rproxy.routing.node_reports import REPORTS
from rproxy.topology.snapshot import Endpoint
from tests.support.dispatch import Dispatch
from tests.support.fake_node import FakeNode
from tests.support.upstream import topology_of


def say(nodes: list[FakeNode], name: str, *answers: bytes) -> None:
    for node, answer in zip(nodes, answers, strict=True):
        node.answers[name] = answer


async def test_reports_are_merged_in_the_protocol_of_the_client(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    flat = encode.reply([b"keys.count", 2, b"fragmentation", b"1.5", b"total.allocated", 2, b"fragmentation.bytes", 3])
    say(nodes, "MEMORY STATS", flat, flat, flat)
    assert await dispatch.call("MEMORY", "STATS") == encode.reply(
        {b"keys.count": 6, b"fragmentation": b"2.5", b"total.allocated": 6, b"fragmentation.bytes": 9}
    )
    for node in nodes:
        node.answers["HELLO"] = b"*0\r\n"
    dispatch.session.speak(3)
    assert b"$13\r\nfragmentation\r\n,2.5\r\n" in await dispatch.call("MEMORY", "STATS")


async def test_an_error_of_a_node_is_the_answer(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    say(nodes, "LATENCY LATEST", b"*0\r\n", b"-NOPERM no\r\n", b"*0\r\n")
    assert await dispatch.call("LATENCY", "LATEST") == b"-NOPERM no\r\n"


async def test_a_graph_is_drawn_by_the_nodes_that_know_the_event(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    none = b"-ERR No samples available for event 'fork'\r\n"
    say(nodes, "LATENCY GRAPH", none, b"$2\r\n__\r\n", none)
    assert await dispatch.call("LATENCY", "GRAPH", "fork") == b"$2\r\n__\r\n"
    say(nodes, "LATENCY GRAPH", none, none, none)
    assert await dispatch.call("LATENCY", "GRAPH", "fork") == none


async def test_what_is_no_report_is_an_error(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    say(nodes, "MEMORY STATS", b":1\r\n", b":1\r\n", b":1\r\n")
    assert (await dispatch.call("MEMORY", "STATS")).startswith(b"-ERR ")


@pytest.mark.parametrize("name", [name for name in sorted(REPORTS) if name != b"LATENCY|GRAPH"])
@pytest.mark.late
async def test_a_shard_that_is_down_fails_every_report(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode], name: bytes
) -> None:
    dispatch = make_dispatch({"main": topology_of((nodes[0].endpoint,), (Endpoint("127.0.0.1", 1),))})
    arguments = [b"fork"] if name == b"LATENCY|HISTORY" else []
    assert (await dispatch.call(*name.split(b"|"), *arguments)).startswith(b"-CLUSTERDOWN ")
    assert name in SPECIAL


@pytest.mark.parametrize(
    ("command", "answers", "reply"),
    [
        ("LASTSAVE", [b":30\r\n", b":10\r\n", b":20\r\n"], b":10\r\n"),
        ("BGSAVE", [b"+Background saving started\r\n"] * 3, b"+Background saving started\r\n"),
        ("LATENCY RESET", [b":1\r\n", b":0\r\n", b":2\r\n"], b":3\r\n"),
        ("MEMORY PURGE", [b"+OK\r\n"] * 3, b"+OK\r\n"),
    ],
)
async def test_what_has_a_policy_needs_no_report(
    dispatch: Dispatch, nodes: list[FakeNode], command: str, answers: list[bytes], reply: bytes
) -> None:
    say(nodes, command.split()[0], *answers)
    assert await dispatch.call(*command.split()) == reply


# -- rproxy's own


async def test_the_role_is_that_of_one_server(dispatch: Dispatch) -> None:
    assert await dispatch.call("ROLE") == b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"


async def test_the_histogram_is_of_what_was_forwarded(dispatch: Dispatch) -> None:
    counts = [0, 2, 1, *[0] * (len(BUCKETS) - 3), 1]
    dispatch.context.samples = lambda: [
        ("rproxy_command_duration_seconds", ("main", "get"), Histogram([1, *[0] * len(BUCKETS)], 0.1)),
        ("rproxy_command_duration_seconds", ("main", "object|freq"), Histogram(counts, 0.1)),
        ("rproxy_command_duration_seconds", ("main", "set"), Histogram([0] * len(counts), 0.0)),
    ]
    get = encode.reply({b"get": {b"calls": 1, b"histogram_usec": {50: 1}}})
    freq = encode.reply({b"object|freq": {b"calls": 4, b"histogram_usec": {100: 2, 250: 3, 10_000_000: 4}}})
    assert await dispatch.call("LATENCY", "HISTOGRAM") == b"*4" + get[2:] + freq[4:]
    assert await dispatch.call("LATENCY", "HISTOGRAM", "object", "nope") == freq
    assert await dispatch.call("LATENCY", "HISTOGRAM", "GET") == get
    assert await dispatch.call("LATENCY", "HISTOGRAM", "nope") == b"*0\r\n"


async def test_streams_of_several_slots_are_read_from_each(dispatch: Dispatch, nodes: list[FakeNode]) -> None:
    entry = b"*1\r\n*2\r\n$1\r\n%b\r\n*0\r\n"
    say(nodes, "XREAD", entry % b"b", b"*-1\r\n", entry % b"a")
    assert await dispatch.call("XREAD", "COUNT", "1", "STREAMS", "a", "b", "c", "1", "2", "3") == (
        b"*2\r\n*2\r\n$1\r\na\r\n*0\r\n*2\r\n$1\r\nb\r\n*0\r\n"
    )
    assert nodes[0].received == [(b"XREAD", b"COUNT", b"1", b"STREAMS", b"b", b"2")]
    assert (await dispatch.call("XREAD", "STREAMS", "b", "b", "0", "0")) == entry % b"b"
    say(nodes, "XREAD", b":1\r\n", b"*-1\r\n", b"*-1\r\n")
    assert (await dispatch.call("XREAD", "STREAMS", "b", "c", "0", "0")).startswith(b"-ERR ")
    say(nodes, "XREAD", b"*-1\r\n", b"-WRONGTYPE no\r\n", b"*-1\r\n")
    assert await dispatch.call("XREAD", "STREAMS", "b", "c", "0", "0") == b"-WRONGTYPE no\r\n"
