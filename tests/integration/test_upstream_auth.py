"""Nodes that want passwords, each its own: rproxy authenticates to all, and says which refuses it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rproxy.demo.embedded import EmbeddedCluster
from tests.support.client import RawClient
from tests.support.proxy import Proxy, config_of

KEYS = "abcdefghij"
"""Keys of every shard."""


@pytest.fixture(scope="module")
def guarded_cluster() -> Iterator[EmbeddedCluster]:
    """Three primaries: the last has a user ``rproxy`` for its own, the others a password for the default user."""
    with EmbeddedCluster(primaries=3, replicas=0) as cluster:
        last = cluster.nodes[-1]
        assert last.call("ACL", "SETUSER", "rproxy", "on", ">of-the-last", "~*", "&*", "+@all") == b"OK"
        for node in cluster.nodes:
            assert node.call("CONFIG", "SET", "requirepass", "hidden" if node is last else "of-most") == b"OK"
        yield cluster


def config(cluster: EmbeddedCluster, password_of_last: str) -> dict[str, Any]:
    last = {"endpoint": cluster.nodes[-1].address, "username": "rproxy", "password": password_of_last}
    return config_of(cluster.seeds, cluster={"password": "of-most", "endpoint_auth": [last]})


def set_all(client: RawClient) -> list[bytes]:
    return client.pipeline([("SET", key, key) for key in KEYS])


def test_every_endpoint_has_its_password(guarded_cluster: EmbeddedCluster) -> None:
    with Proxy(config=config(guarded_cluster, "of-the-last")) as proxy, proxy.client() as client:
        assert set_all(client) == [b"+OK\r\n"] * len(KEYS)
        assert client.command("MGET", *KEYS).count(b"$1\r\n") == len(KEYS)
        assert client.command("DBSIZE") == b":%d\r\n" % len(KEYS)


def test_a_refused_password_is_told_where_operators_look(guarded_cluster: EmbeddedCluster) -> None:
    address = guarded_cluster.nodes[-1].address
    with Proxy(config=config(guarded_cluster, "wrong")) as proxy, proxy.client() as client:
        refused = [reply for reply in set_all(client) if reply != b"+OK\r\n"]
        assert 0 < len(refused) < len(KEYS)
        assert all(address.encode() in reply and b"AUTH was refused: WRONGPASS" in reply for reply in refused)
        (shown,) = (found for found in proxy.clusters()[0]["endpoints"] if found["address"] == address)
        assert shown["failure"].startswith("AUTH was refused: WRONGPASS")
        failed = "rproxy_upstream_connections_failed_total"
        assert proxy.metrics().total(failed, cluster="main") > 1  # it goes on trying
        told = [line for line in proxy.output.splitlines() if f"{address}: AUTH was refused" in line]
        assert len(told) == 1
        assert "wrong" not in proxy.output


def test_discovery_authenticates_too(guarded_cluster: EmbeddedCluster) -> None:
    keys = config(guarded_cluster, "of-the-last")
    keys["clusters"][0]["endpoints"] = [guarded_cluster.nodes[-1].address]
    with Proxy(config=keys) as proxy, proxy.client() as client:
        assert set_all(client) == [b"+OK\r\n"] * len(KEYS)
