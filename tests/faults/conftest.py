"""Clusters that may be broken: each test has one of its own.

They serve what is left while a shard has no primary (``cluster-require-full-coverage no``): else every node of a Redis
Cluster refuses every command from the moment a primary is known to have failed until its replica is promoted.
"""

from collections.abc import Iterator

import pytest

from rproxy.demo.embedded import EmbeddedCluster
from tests.support.proxy import Proxy


@pytest.fixture
def own_cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster(node_timeout_ms=2000, extra_args=("--cluster-require-full-coverage", "no")) as cluster:
        yield cluster


@pytest.fixture
def own_proxy(own_cluster: EmbeddedCluster) -> Iterator[Proxy]:
    with Proxy(["--seed", own_cluster.seeds]) as proxy:
        yield proxy
