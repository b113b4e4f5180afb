"""Real redis-server processes and a real rproxy before them, shared by the tests of a session that only use them.

A test that kills, stops or reconfigures nodes has a cluster of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis
from tests.support.client import RawClient
from tests.support.proxy import Proxy

# The same examples in every run, each in as much time as it is given.
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster() as cluster:
        for node in cluster.nodes:  # which all live: none is to be replaced because it got no processor for a while
            node.call("CONFIG", "SET", "cluster-node-timeout", "60000")
        yield cluster


@pytest.fixture
def own_cluster() -> Iterator[EmbeddedCluster]:
    """A cluster that may be broken.

    It serves what is left while a shard has no primary (``cluster-require-full-coverage no``): else every node of a
    Redis Cluster refuses every command from the moment a primary is known to have failed until its replica is promoted.
    """
    with EmbeddedCluster(node_timeout_ms=2000, extra_args=("--cluster-require-full-coverage", "no")) as cluster:
        yield cluster


@pytest.fixture
def own_proxy(own_cluster: EmbeddedCluster) -> Iterator[Proxy]:
    """rproxy with the default settings before ``own_cluster``."""
    with Proxy(["--seed", own_cluster.seeds]) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def shared_standalone() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as redis:
        yield redis


@pytest.fixture(scope="session")
def shared_proxy(shared_cluster: EmbeddedCluster) -> Iterator[Proxy]:
    with Proxy(["--seed", shared_cluster.seeds]) as proxy:
        yield proxy


@pytest.fixture
def cluster(shared_cluster: EmbeddedCluster) -> EmbeddedCluster:
    """A cluster of 3 primaries and 3 replicas, empty."""
    for node in shared_cluster.primaries:
        node.call("FLUSHALL")
        node.call("SCRIPT", "FLUSH")
    return shared_cluster


@pytest.fixture
def standalone(shared_standalone: EmbeddedRedis) -> EmbeddedRedis:
    """One standalone Redis, empty."""
    shared_standalone.call("FLUSHALL")
    shared_standalone.call("SCRIPT", "FLUSH")
    return shared_standalone


@pytest.fixture
def proxy(cluster: EmbeddedCluster, shared_proxy: Proxy) -> Proxy:
    """rproxy with one worker and the default settings before ``cluster``."""
    assert cluster.nodes
    return shared_proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[RawClient]:
    """A raw connection to ``proxy``."""
    with proxy.client() as connection:
        yield connection


@pytest.fixture
def direct(standalone: EmbeddedRedis) -> Iterator[RawClient]:
    """A raw connection to ``standalone``."""
    with RawClient(standalone.port) as connection:
        yield connection
