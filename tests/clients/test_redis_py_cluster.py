"""redis-py's RedisCluster, blocking and asyncio: it takes rproxy for a cluster of one node."""

from __future__ import annotations

from typing import Any

import pytest
import redis
import redis.asyncio
from redis.cluster import LoadBalancingStrategy

from tests.support.proxy import Proxy


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_blocking_client(proxy: Proxy, protocol: int) -> None:
    client: Any = redis.RedisCluster(host="127.0.0.1", port=proxy.port, protocol=protocol, decode_responses=True)
    with client:
        (node,) = client.get_nodes()
        assert (node.host, node.port, node.server_type) == ("127.0.0.1", proxy.port, "primary")
        for number in range(100):
            client.set(f"key:{number}", number)
        assert [client.get(f"key:{number}") for number in range(100)] == [str(number) for number in range(100)]
        assert client.mset({"{tag}a": 1, "{tag}b": 2})
        assert client.mget("{tag}a", "{tag}b") == ["1", "2"]
        assert client.delete("{tag}a", "{tag}b") == 2
        pipeline = client.pipeline()
        for number in range(50):
            pipeline.incr(f"key:{number}")
        assert pipeline.execute() == [number + 1 for number in range(50)]
        assert len(list(client.scan_iter(match="key:*", count=30))) == 100
        assert client.keyslot("a") == client.cluster_keyslot("a")
        assert client.cluster_info(target_nodes=node)["cluster_state"] == "ok"
        assert client.cluster_countkeysinslot(client.keyslot("key:7")) >= 1


def test_reads_meant_for_replicas(proxy: Proxy) -> None:
    strategy = LoadBalancingStrategy.ROUND_ROBIN_REPLICAS
    with redis.RedisCluster(host="127.0.0.1", port=proxy.port, load_balancing_strategy=strategy) as client:
        client.set("k", "v")
        assert client.get("k") == b"v"


async def test_the_asyncio_client(proxy: Proxy) -> None:
    async with redis.asyncio.RedisCluster(host="127.0.0.1", port=proxy.port, decode_responses=True) as client:
        for number in range(100):
            await client.set(f"key:{number}", number)
        assert [await client.get(f"key:{number}") for number in range(100)] == [str(number) for number in range(100)]
        assert [node.port for node in client.get_nodes()] == [proxy.port]
