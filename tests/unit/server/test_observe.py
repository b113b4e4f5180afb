"""A worker's metrics say what its listeners and clusters counted, by the rows of the table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from rproxy.metrics.samples import Histogram, Sample, merge
from rproxy.metrics.table import METRICS
from rproxy.routing.routes import MirrorRule, Route
from rproxy.server.observe import samples_of
from rproxy.topology.refresh import RefreshPolicy, RefreshSchedule
from rproxy.topology.snapshot import Topology
from rproxy.upstream.refresher import Refresher
from tests.support.client import pack
from tests.support.downstream import Downstream
from tests.support.fake_node import SILENCE, FakeNode, cluster_answers
from tests.support.upstream import topology_of

MakeDownstream = Callable[..., Downstream]
OF_PROCESSES = {
    "build_info",
    "config_",
    "workers_",
    "worker_",
    "start_time",
    "resident_",
    "cpu_",
    "open_desc",
    "descriptor_",
}
"""How the names of metrics begin that no worker's counters hold."""


def samples(downstream: Downstream) -> list[Sample]:
    """The samples of a worker with this one listener."""
    clusters = {(name,): cluster for name, cluster in downstream.clusters.items()}
    context = downstream.context
    worker: Any = SimpleNamespace(
        listeners=[downstream.listener],
        contexts=[context],
        clusters=clusters,
        catalog=context.catalog,
        retired=[],
        departed=[],
    )
    return samples_of(worker)


def values(downstream: Downstream) -> dict[tuple[str, ...], Any]:
    """The values by name (without ``rproxy_``) and labels."""
    return {(name.removeprefix("rproxy_"), *labels): value for name, labels, value in samples(downstream)}


@pytest.fixture
async def node(start_node: Any) -> FakeNode:
    node: FakeNode = await start_node({"GET": [b"$1\r\nx\r\n", b"-ERR no\r\n", b"$-1\r\n"]})
    return node


async def test_a_worker_that_has_done_nothing_has_zeros(make_downstream: MakeDownstream) -> None:
    found = values(make_downstream({"main": Topology.empty()}))
    assert found.pop(("tasks",)) == len(asyncio.all_tasks())
    assert set(found.values()) == {0}


async def test_clients_and_bytes(make_downstream: MakeDownstream, node: FakeNode) -> None:
    downstream = make_downstream({"main": Topology.standalone(node.endpoint)}, limits={"max_clients": 2})
    clients = [await downstream.client() for _ in range(2)]
    for client in clients:
        await client.call("PING")
    await (await downstream.client()).rest()
    clients[0].send(b"*x\r\n")
    await clients[0].rest()
    await downstream.until(lambda: len(downstream.listener.connections) == 1)
    found = values(downstream)
    assert found["downstream_connections_opened_total", "redis"] == 2
    assert found["downstream_connections_active", "redis"] == 1
    assert found["downstream_connections_rejected_total", "redis"] == 1
    assert found["downstream_protocol_errors_total", "redis"] == 1
    assert found["downstream_received_bytes_total", "redis"] == 2 * len(pack("PING")) + 4
    assert found["downstream_sent_bytes_total", "redis"] > 2 * len(b"+PONG\r\n")
    assert found["local_commands_total", "ping"] == 2


async def test_commands_are_counted_by_outcome_with_their_latency(
    make_downstream: MakeDownstream, node: FakeNode
) -> None:
    downstream = make_downstream({"main": Topology.standalone(node.endpoint)})
    client = await downstream.client()
    for command in (["GET", "a"], ["GET", "a"], ["GET", "a"], ["OBJECT", "FREQ", "a"], ["MGET", "a", "b"]):
        await client.call(*command)
    found = values(downstream)
    assert found["commands_total", "main", "get", "success"] == 2
    assert found["commands_total", "main", "get", "error"] == 1
    assert found["commands_total", "main", "object|freq", "success"] == 1
    histogram = found["command_duration_seconds", "main", "get"]
    assert isinstance(histogram, Histogram)
    assert sum(histogram.counts) == 3
    assert 0 < histogram.seconds < 60
    assert found["commands_total", "main", "mget", "error"] == 1  # +OK is no answer to a fragment
    sent = sum(len(pack(*command)) for command in node.received)
    assert found["upstream_sent_bytes_total", "main"] == sent
    assert found["upstream_received_bytes_total", "main"] > 0
    assert found["upstream_connections_opened_total", "main"] == 1
    assert found["upstream_connections_active", "main"] == 1
    assert found["upstream_connections_failed_total", "main"] == 0


@pytest.mark.late
async def test_what_is_in_flight_and_what_became_of_it(make_downstream: MakeDownstream, node: FakeNode) -> None:
    downstream = make_downstream({"main": Topology.standalone(node.endpoint)})
    client = await downstream.client()
    node.answers["GET"] = SILENCE
    client.send(pack("GET", "a"))
    await node.heard("GET")
    assert values(downstream)["upstream_requests_in_flight", "main"] == 1
    assert (await client.reply()).startswith(b"-ERR upstream ")
    found = values(downstream)
    assert found["upstream_failures_total", "main", "timeout"] == 1
    assert found["commands_total", "main", "get", "error"] == 1


async def test_redirections_and_retries(make_downstream: MakeDownstream, node: FakeNode, start_node: Any) -> None:
    other = await start_node()
    downstream = make_downstream({"main": topology_of((node.endpoint,), (other.endpoint,))})
    node.answers["SET"] = f"-MOVED 3300 {other.endpoint}\r\n".encode()
    assert await (await downstream.client()).call("SET", "b", "1") == b"+OK\r\n"
    found = values(downstream)
    assert found["redirections_total", "main", "moved"] == 1
    assert found["upstream_retries_total", "main"] == 1
    assert found["topology_shards", "main"] == 2
    assert found["topology_covered_slots", "main"] == 16384


async def test_mirrors(make_downstream: MakeDownstream, node: FakeNode, start_node: Any) -> None:
    mirror = await start_node({"SET": SILENCE})
    topologies = {name: Topology.standalone(each.endpoint) for name, each in (("main", node), ("copies", mirror))}
    route = Route("main", mirrors=(MirrorRule("copies"),))
    downstream = make_downstream(topologies, route, settings={"copies": {"mirror_queue_limit": 2}})
    client = await downstream.client()
    for _ in range(5):
        await client.call("SET", "a", "1")
    found = values(downstream)
    assert (found["mirror_sent_total", "copies"], found["mirror_dropped_total", "copies"]) == (2, 3)


@pytest.mark.late
async def test_every_metric_of_a_worker_has_its_row_and_every_row_its_metric(
    make_downstream: MakeDownstream, node: FakeNode, start_node: Any
) -> None:
    other = await start_node()
    topologies = {"main": topology_of((node.endpoint,)), "copies": Topology.standalone(other.endpoint)}
    mirrored = Route("main", mirrors=(MirrorRule("copies"),))
    downstream = make_downstream(topologies, mirrored, settings={"main": {"health_checks": {}}})
    node.answers |= cluster_answers((node.endpoint,))
    main = downstream.clusters["main"]
    main.refresher = Refresher(main, [node.endpoint], RefreshSchedule(RefreshPolicy()))
    main.refresher.start()
    await downstream.until(lambda: main.refresher.age() is not None and main.health.checked)
    node.answers["SET"] = [f"-MOVED 3300 {other.endpoint}\r\n".encode(), SILENCE]
    node.answers["INCR"] = SILENCE
    client = await downstream.client()
    for command in (["SET", "b", "1"], ["PING"], ["AUTH", "nobody", "x"], ["INCR", "a"]):
        await client.call(*command)
    await main.refresher.stop()
    found = samples(downstream)
    missing = {metric.name.removeprefix("rproxy_") for metric in METRICS} - {
        name.removeprefix("rproxy_") for name, _, _ in found
    }
    assert {name for name in missing if not name.startswith(tuple(OF_PROCESSES))} == set()
    assert merge([found])  # raises where a name or labels are not the table's
    ages = [value for name, _, value in found if name == "rproxy_topology_age_seconds"]
    assert len(ages) == 1
    assert 0 <= ages[0] < 60
