"""What the tour takes place on: a cluster, a mirror, and rproxy before them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis
from rproxy.demo.ports import free_port
from rproxy.demo.proxy_process import ProxyProcess
from rproxy.demo.wire_client import WireClient

if TYPE_CHECKING:
    from rproxy.demo.screen import Screen


@dataclass(frozen=True)
class Stage:
    """Everything that runs; ``port`` is where clients of rproxy connect."""

    cluster: EmbeddedCluster
    mirror: EmbeddedRedis
    proxy: ProxyProcess
    port: int

    def client(self) -> WireClient:
        """A new connection to rproxy."""
        return WireClient(self.port, timeout=15.0)


def configuration(seeds: str, mirror: str, port: int, admin_port: int) -> dict[str, Any]:
    """The tour's configuration of rproxy: reads from replicas, a copy of every write to the mirror."""
    route = {
        "cluster": "main",
        "request_mirror_policy": [{"cluster": "mirror", "exclude_read_commands": True}],
    }
    listener = {
        "name": "redis",
        "address": f"127.0.0.1:{port}",
        "redis_proxy": {
            "stat_prefix": "redis_stats",
            "settings": {"op_timeout": "5s", "read_policy": "replica"},
            "prefix_routes": {"catch_all_route": route},
        },
    }
    return {
        "admin": {"address": f"127.0.0.1:{admin_port}"},
        "workers": 1,
        "log_level": "warning",
        "listeners": [listener],
        "clusters": [
            {"name": "main", "type": "redis_cluster", "endpoints": seeds.split(",")},
            {"name": "mirror", "type": "standalone", "endpoints": [mirror]},
        ],
    }


@contextmanager
def set_up(screen: Screen) -> Iterator[Stage]:
    """Start everything, and end everything afterwards."""
    cluster, mirror = EmbeddedCluster(primaries=3, replicas=1), EmbeddedRedis()
    try:
        with screen.waiting("forming a cluster of 3 primaries and 3 replicas"):
            cluster.start()
            mirror.start()
        port, admin_port = free_port(), free_port()
        config = configuration(cluster.seeds, mirror.address, port, admin_port)
        with screen.waiting("starting rproxy"):
            proxy = ProxyProcess(config=config, admin_port=admin_port).__enter__()
        try:
            yield Stage(cluster, mirror, proxy, port)
        finally:
            proxy.stop()
    finally:
        mirror.stop()
        cluster.stop()
