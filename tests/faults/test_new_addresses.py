"""The whole cluster is restarted, and every node has another address."""

import time
from pathlib import Path

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.ports import BUS_OFFSET, free_port
from tests.support import figures
from tests.support.proxy import Proxy, config_of
from tests.support.relay import Relay
from tests.support.waiting import await_true


def move(cluster: EmbeddedCluster, files: list[Path]) -> None:
    """Start the nodes at new ports, with their files corrected, as an operator in Kubernetes does it."""
    texts = [file.read_text() for file in files]
    for node in cluster.nodes:
        old, node.port = node.port, free_port(with_bus=True)
        addresses = f":{old}@{old + BUS_OFFSET}", f":{node.port}@{node.port + BUS_OFFSET}"
        texts = [text.replace(*addresses) for text in texts]
    for node, file, text in zip(cluster.nodes, files, texts, strict=True):
        file.write_text(text)
        node.start()


def test_the_seeds_lead_to_the_new_addresses(own_cluster: EmbeddedCluster) -> None:
    """The relay stands for a name of the seeds that resolves to a node that is up."""
    with (
        Relay(own_cluster.nodes[0].port) as name,
        Proxy(config=config_of(f"127.0.0.1:{name.port}", settings={"op_timeout": "0.5s"})) as proxy,
        proxy.client() as client,
    ):
        assert client.command("SET", "b", "before") == b"+OK\r\n"
        files = [Path(node.call("CONFIG", "GET", "dir")[1].decode()) / "nodes.conf" for node in own_cluster.nodes]
        for node in own_cluster.nodes:
            node.kill()
        assert client.command("GET", "b").startswith(b"-CLUSTERDOWN ")
        move(own_cluster, files)
        own_cluster.await_healthy()
        name.target = own_cluster.nodes[0].port
        up_at = time.monotonic()
        await_true(lambda: client.command("SET", "b", "after") == b"+OK\r\n", 20)
        found_after = time.monotonic() - up_at
        assert own_cluster.primary_of("b").call("GET", "b") == b"after"
    assert found_after < 5
    figures.note("every address changes", "first success after the nodes are up", f"{found_after * 1000:.0f} ms")
