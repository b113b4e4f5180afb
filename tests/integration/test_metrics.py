"""What the admin server says, against what was done."""

import json
from collections.abc import Iterator

import pytest

from rproxy import __version__
from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis
from rproxy.metrics.counters import BUCKETS
from rproxy.metrics.table import METRICS
from tests.support.client import RawClient
from tests.support.proxy import Proxy, config_of
from tests.support.waiting import await_true


@pytest.fixture
def fresh(cluster: EmbeddedCluster, standalone: EmbeddedRedis) -> Iterator[Proxy]:
    """A proxy with a mirror that nobody has used."""
    mirrors = [{"cluster": "mirror", "exclude_read_commands": True}]
    with Proxy(config=config_of(cluster.seeds, mirrors=mirrors, mirror_address=standalone.address)) as proxy:
        yield proxy


@pytest.fixture
def used(fresh: Proxy) -> Iterator[RawClient]:
    with fresh.client() as client:
        yield client


def test_commands_are_counted_by_outcome(fresh: Proxy, used: RawClient) -> None:
    used.pipeline([("SET", "a", "1")] * 10 + [("GET", "a")] * 20 + [("LPUSH", "a", "1")] * 3 + [("PING",)] * 4)
    metrics = fresh.metrics()

    def commands(command: str, result: str) -> float:
        return metrics.total("rproxy_commands_total", cluster="main", command=command, result=result)

    assert commands("set", "success") == 10
    assert commands("get", "success") == 20
    assert commands("lpush", "error") == 3
    assert commands("lpush", "success") == 0
    assert metrics.total("rproxy_local_commands_total", command="ping") == 4


def test_a_split_command_is_counted_once(fresh: Proxy, used: RawClient) -> None:
    used.command("MSET", "a", "1", "b", "2", "c", "3")
    used.command("DBSIZE")
    metrics = fresh.metrics()
    for command in ("mset", "dbsize"):
        assert metrics.total("rproxy_commands_total", cluster="main", command=command, result="success") == 1


def test_latencies_are_in_the_buckets(fresh: Proxy, used: RawClient) -> None:
    used.pipeline([("GET", "a")] * 50)
    metrics = fresh.metrics()
    labels = {"cluster": "main", "command": "get"}
    name = "rproxy_command_duration_seconds"
    assert metrics.total(f"{name}_count", **labels) == 50
    assert metrics.total(f"{name}_bucket", **labels, le="+Inf") == 50
    assert 0 < metrics.total(f"{name}_sum", **labels) < 50
    bounds = [float(sample.labels["le"]) for sample in metrics.samples if sample.name == f"{name}_bucket"]
    assert set(bounds) == {*BUCKETS, float("inf")}
    assert min(bounds) == 0.00005


def test_connections_and_bytes_are_counted(fresh: Proxy, used: RawClient) -> None:
    used.command("SET", "a", "x" * 10_000)
    used.command("GET", "a")
    with fresh.client() as second:
        second.command("PING")
        metrics = fresh.metrics()
        assert metrics.total("rproxy_downstream_connections_active") == 2
    await_true(lambda: fresh.metrics().total("rproxy_downstream_connections_active") == 1)
    assert metrics.total("rproxy_downstream_connections_opened_total") == 2
    assert metrics.total("rproxy_downstream_received_bytes_total") > 10_000
    assert metrics.total("rproxy_downstream_sent_bytes_total") > 10_000
    assert metrics.total("rproxy_upstream_sent_bytes_total", cluster="main") > 10_000
    assert metrics.total("rproxy_upstream_received_bytes_total", cluster="main") > 10_000
    assert metrics.total("rproxy_upstream_connections_active", cluster="main") >= 1
    assert metrics.total("rproxy_upstream_connections_active", cluster="mirror") == 1


def test_protocol_errors_are_counted(fresh: Proxy, used: RawClient) -> None:
    used.send(b"*1\r\n+PING\r\n")
    used.read_to_end()
    assert fresh.metrics().total("rproxy_downstream_protocol_errors_total") == 1


def test_the_mirror_has_its_own_numbers(fresh: Proxy, used: RawClient) -> None:
    used.pipeline([("SET", "a", "1")] * 10 + [("GET", "a")] * 5)
    await_true(lambda: fresh.metrics().total("rproxy_mirror_sent_total", cluster="mirror") == 10)
    metrics = fresh.metrics()
    assert metrics.total("rproxy_mirror_dropped_total", cluster="mirror") == 0
    assert metrics.total("rproxy_commands_total", cluster="main", command="set") == 10


def test_the_topology_is_described(fresh: Proxy) -> None:
    metrics = fresh.metrics()
    assert metrics.total("rproxy_topology_shards", cluster="main") == 3
    assert metrics.total("rproxy_topology_covered_slots", cluster="main") == 16384
    assert metrics.total("rproxy_topology_refreshes_total", cluster="main", result="success") >= 1
    assert 0 <= metrics.total("rproxy_topology_age_seconds", cluster="main") < 30
    assert metrics.total("rproxy_build_info", version=__version__) == 1


def test_every_metric_of_the_table_has_its_help(fresh: Proxy, used: RawClient) -> None:
    used.command("SET", "a", "1")
    exposition = fresh.admin("/metrics")[1]
    helped = {line.split()[2] for line in exposition.splitlines() if line.startswith("# HELP ")}
    names = {metric.name for metric in METRICS}
    assert {name for name in helped if name.startswith("rproxy_")} <= names | {
        name.removesuffix("_total") for name in names
    }
    assert {"rproxy_commands_total", "rproxy_topology_age_seconds", "rproxy_mirror_sent_total"} <= helped


def test_health_and_readiness(fresh: Proxy) -> None:
    assert fresh.admin("/healthz")[0] == 200
    assert fresh.admin("/readyz")[0] == 200
    assert fresh.admin("/none")[0] == 404


def test_the_clusters_are_shown_with_their_endpoints(fresh: Proxy, cluster: EmbeddedCluster) -> None:
    shown = fresh.admin("/clusters")[1]
    assert json.loads(shown)
    for node in cluster.nodes:
        assert str(node.port) in shown


def test_the_configuration_is_shown_without_secrets(cluster: EmbeddedCluster) -> None:
    config = config_of(cluster.seeds, mirrors=[{"cluster": "mirror"}], mirror_address="127.0.0.1:1")
    config["clusters"][1]["password"] = "of-the-mirror"
    with Proxy(config=config) as proxy:
        status, shown = proxy.admin("/config_dump")
        assert status == 200
        assert "of-the-mirror" not in shown
        assert "of-the-mirror" not in proxy.output
        assert "read_policy" in shown


def test_command_stats_can_be_turned_off(cluster: EmbeddedCluster) -> None:
    config = config_of(cluster.seeds, settings={"enable_command_stats": False})
    with Proxy(config=config) as proxy, proxy.client() as client:
        client.pipeline([("SET", "a", "1")] * 10)
        assert proxy.metrics().total("rproxy_commands_total") == 0
