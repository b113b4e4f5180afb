"""INFO through rproxy beside the INFO of one real server."""

from __future__ import annotations

import pytest

from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis
from rproxy.demo.wire_client import WireClient
from rproxy.routing.info import parse
from tests.support.proxy import Proxy
from tests.support.waiting import await_true


@pytest.mark.parametrize("arguments", [(), ("all",), ("everything",), ("keyspace", "server")])
def test_it_has_every_field_of_a_real_one_in_its_order(
    proxy: Proxy, standalone: EmbeddedRedis, arguments: tuple[str, ...]
) -> None:
    if arguments and not standalone.call("INFO", "server").decode().partition("redis_version:7")[1]:
        pytest.skip("Redis 6.2 takes one section, and has fewer of them")
    real = parse(standalone.call("INFO", *arguments).decode())
    with WireClient(proxy.port) as wire:
        own = parse(wire.call("INFO", *arguments).decode())
    assert list(own) == list(real)
    by_use = {"commandstats", "latencystats", "errorstats", "keyspace"}
    for name, fields in real.items():
        if name not in by_use:
            assert fields.keys() <= own[name].keys(), name


def test_the_numbers_are_those_of_the_whole_cluster(cluster: EmbeddedCluster, proxy: Proxy) -> None:
    with WireClient(proxy.port) as wire:
        wire.call_all([("SET", f"key:{number}", "1", "EX", "100") for number in range(100)])
        info = parse(wire.call("INFO").decode())
    assert info["keyspace"]["db0"].startswith("keys=100,expires=100,avg_ttl=")
    assert int(info["keyspace"]["db0"].rpartition("=")[2]) <= 100_000
    assert int(info["memory"]["used_memory"]) > max(
        int(parse(node.call("INFO", "memory").decode())["memory"]["used_memory"]) for node in cluster.primaries
    )
    assert int(info["clients"]["connected_clients"]) >= 1
    assert info["server"]["tcp_port"] == str(proxy.port)


def test_the_version_is_the_clusters(cluster: EmbeddedCluster, proxy: Proxy) -> None:
    real = parse(cluster.primaries[0].call("INFO", "server").decode())["server"]["redis_version"]
    with WireClient(proxy.port) as wire:
        await_true(lambda: parse(wire.call("INFO", "server").decode())["server"]["redis_version"] == real)
        assert wire.call("HELLO")[2:4] == [b"version", real.encode()]


def test_several_workers_are_one_server(cluster: EmbeddedCluster) -> None:
    with Proxy(["--seed", cluster.seeds, "--workers", "2"]) as proxy:
        clients = [WireClient(proxy.port) for _ in range(6)]
        try:
            for wire in clients:
                assert wire.call("SET", "a", "1") == b"OK"
            for wire in clients:
                info = parse(wire.call("INFO", "clients", "commandstats").decode())
                assert info["clients"]["connected_clients"] == "6"
                assert info["clients"]["maxclients"] == "20000"
                assert info["commandstats"]["cmdstat_set"].startswith("calls=6,")
            assert clients[0].call("CONFIG", "SET", "timeout", "77") == b"OK"
            assert {wire.call("CONFIG", "GET", "timeout")[1] for wire in clients} == {b"77"}
            assert clients[0].call("CONFIG", "RESETSTAT") == b"OK"
            for wire in clients:
                assert "cmdstat_set" not in parse(wire.call("INFO", "commandstats").decode())["commandstats"]
        finally:
            for wire in clients:
                wire.close()
