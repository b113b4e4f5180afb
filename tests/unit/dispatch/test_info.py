"""INFO through rproxy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rproxy.metrics.counters import BUCKETS
from rproxy.metrics.samples import Histogram, Sample
from rproxy.resp import encode
from rproxy.resp.decode import decode
from rproxy.routing.info import ALL, parse
from rproxy.topology.server_facts import ServerFacts
from rproxy.topology.snapshot import Endpoint, Topology
from tests.support.dispatch import Dispatch
from tests.support.fake_node import FakeNode
from tests.support.upstream import topology_of

HISTOGRAM = Histogram([0, 98, 1, 1] + [0] * (len(BUCKETS) - 3), 0.5)
SAMPLES: list[Sample] = [
    ("rproxy_downstream_connections_active", ("redis",), 3),
    ("rproxy_downstream_connections_opened_total", ("redis",), 70),
    ("rproxy_commands_total", ("main", "get", "success"), 90),
    ("rproxy_commands_total", ("main", "get", "error"), 10),
    ("rproxy_commands_total", ("other", "get", "error"), 1),
    ("rproxy_local_commands_total", ("ping",), 5),
    ("rproxy_command_duration_seconds", ("main", "get"), HISTOGRAM),
    ("rproxy_cpu_seconds_total", (), 1e6),
    ("rproxy_start_time_seconds", (), 1000.0),
]


def node_info(keys: int) -> bytes:
    return encode.bulk(
        b"# Memory\r\nused_memory:100\r\n\r\n# Stats\r\nkeyspace_hits:2\r\ntotal_commands_processed:9\r\n\r\n"
        b"# Errorstats\r\nerrorstat_ERR:count=1\r\n\r\n# Keyspace\r\ndb0:keys=%d,expires=0,avg_ttl=0\r\n" % keys
    )


@pytest.fixture
def informed(dispatch: Dispatch, nodes: list[FakeNode]) -> Dispatch:
    for number, node in enumerate(nodes):
        node.answers["INFO"] = node_info(10 + number)
    dispatch.context.samples = lambda: SAMPLES
    return dispatch


async def sections_of(dispatch: Dispatch, *arguments: str) -> dict[str, dict[str, str]]:
    return parse(decode(await dispatch.call("INFO", *arguments)).decode())


async def test_what_the_nodes_say_is_merged_and_what_is_rproxys_is_rproxys(informed: Dispatch) -> None:
    sections = await sections_of(informed)
    assert sections["memory"] == {"used_memory": "300"}
    assert sections["keyspace"] == {"db0": "keys=33,expires=0,avg_ttl=0"}
    assert sections["errorstats"] == {"errorstat_ERR": "count=3"}
    assert sections["stats"]["keyspace_hits"] == "6"
    assert sections["stats"]["total_commands_processed"] == "106"
    assert sections["stats"]["total_connections_received"] == "70"
    assert sections["clients"]["connected_clients"] == "3"
    assert sections["replication"]["role"] == "master"
    assert sections["cluster"] == {"cluster_enabled": "0"}
    assert sections["server"]["redis_mode"] == "standalone"
    assert sections["server"]["rproxy_shards"] == "3"
    assert sections["server"]["rproxy_shards_silent"] == "0"
    assert float(sections["cpu"]["used_cpu_sys"]) + float(sections["cpu"]["used_cpu_user"]) == pytest.approx(1e6)


async def test_all_sections_come_in_order(informed: Dispatch) -> None:
    assert [name for name in await sections_of(informed, "all") if name != "persistence"] == [
        name for name in ALL if name != "persistence"
    ]
    assert await informed.call("INFO", "nope") == b"$0\r\n\r\n"


async def test_commands_are_told_with_their_times(informed: Dispatch) -> None:
    sections = await sections_of(informed, "commandstats", "latencystats")
    assert sections == {
        "commandstats": {
            "cmdstat_get": "calls=100,usec=500000,usec_per_call=5000.00,rejected_calls=0,failed_calls=11",
            "cmdstat_ping": "calls=5,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0",
        },
        "latencystats": {"latency_percentiles_usec_get": "p50=100.000,p99=250.000,p99.9=500.000"},
    }


async def test_no_node_is_asked_for_what_is_rproxys(informed: Dispatch, nodes: list[FakeNode]) -> None:
    await sections_of(informed, "server", "clients", "cpu", "replication", "modules", "commandstats")
    assert [node.received for node in nodes] == [[], [], []]


async def test_the_server_is_the_one_that_was_learned(informed: Dispatch) -> None:
    module = {b"name": b"ReJSON", b"ver": 20609}
    informed.context.servers = {"main": ServerFacts({"redis_version": "7.4.1"}, [module, {b"name": b"bf", b"ver": 1}])}
    assert (await sections_of(informed, "server"))["server"]["redis_version"] == "7.4.1"
    assert await informed.call("INFO", "modules") == encode.bulk(
        b"# Modules\r\nmodule:name=ReJSON,ver=20609,api=1,filters=0,usedby=[],using=[],options=[]\r\n"
        b"module:name=bf,ver=1,api=1,filters=0,usedby=[],using=[],options=[]\r\n"
    )
    assert await informed.call("MODULE", "LIST") == encode.reply(
        [[b"name", b"ReJSON", b"ver", 20609], [b"name", b"bf", b"ver", 1]]
    )
    greeting = await informed.call("HELLO", "2")
    assert encode.reply([b"version", b"7.4.1"])[4:] in greeting
    assert encode.reply([b"name", b"ReJSON", b"ver", 20609]) in greeting


async def test_in_resp3_it_is_a_verbatim_string(informed: Dispatch) -> None:
    informed.session.speak(3)
    assert (await informed.call("INFO", "cluster")) == b"=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n"


@pytest.mark.late
async def test_it_is_given_whatever_shards_are_up(
    make_dispatch: Callable[..., Dispatch], nodes: list[FakeNode]
) -> None:
    nodes[0].answers["INFO"] = node_info(10)
    dispatch = make_dispatch({"main": topology_of((nodes[0].endpoint,), (Endpoint("127.0.0.1", 1),))})
    for _ in range(2):
        sections = await sections_of(dispatch)
        assert sections["keyspace"] == {"db0": "keys=10,expires=0,avg_ttl=0"}
        assert sections["server"]["rproxy_shards_silent"] == "1"


async def test_and_without_any(make_dispatch: Callable[..., Dispatch]) -> None:
    dispatch = make_dispatch({"main": Topology.empty()})
    sections = await sections_of(dispatch)
    assert sections["keyspace"] == {}
    assert sections["server"]["rproxy_shards"] == "0"
