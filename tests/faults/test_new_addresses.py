"""The whole cluster is restarted, and every node has another address."""

import itertools
import time
from pathlib import Path

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.ports import BUS_OFFSET, free_port
from rproxy.demo.redis_process import RedisProcess
from tests.support import figures
from tests.support.load import MAYBE, Load
from tests.support.names import Names
from tests.support.proxy import Proxy, config_of
from tests.support.relay import Relay
from tests.support.stalls import Stalls
from tests.support.waiting import await_true

FOUND = 2.0
"""Seconds after the nodes are up in which they are found, besides what the machine does."""
BEFORE, AFTER = "127.0.1.1", "127.0.2.1"


def files_of(cluster: EmbeddedCluster) -> list[Path]:
    """Where each node keeps what it knows of the others."""
    return [Path(node.call("CONFIG", "GET", "dir")[1].decode()) / "nodes.conf" for node in cluster.nodes]


def move_ports(cluster: EmbeddedCluster, files: list[Path]) -> None:
    """Start the nodes at new ports."""
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
        Stalls() as stalls,
    ):
        assert client.command("SET", "b", "before") == b"+OK\r\n"
        files = files_of(own_cluster)
        for node in own_cluster.nodes:
            node.kill()
        assert client.command("GET", "b").startswith(b"-CLUSTERDOWN ")
        move_ports(own_cluster, files)
        own_cluster.await_healthy()
        name.target = own_cluster.nodes[0].port
        up_at = time.monotonic()
        await_true(lambda: client.command("SET", "b", "after") == b"+OK\r\n", 20)
        found_at = time.monotonic()
        assert own_cluster.primary_of("b").call("GET", "b") == b"after"
    assert found_at - up_at < FOUND + 2 * stalls.worst(up_at, found_at)


def announced_at(host: str) -> tuple[str, ...]:
    """Arguments of a node of a cluster that has the address ``host``, and that of the test."""
    return (
        *("--bind", "127.0.0.1", host, "--cluster-announce-ip", host),
        *("--cluster-node-timeout", "2000", "--protected-mode", "no"),
    )


@figures.whole_suite
def test_names_that_resolve_to_new_addresses(tmp_path: Path) -> None:
    """As a StatefulSet that is restarted whole: same names and ports, other addresses, again and again."""
    found = []
    hosts = [BEFORE, AFTER] * 2
    with Names(tmp_path / "hosts") as names, EmbeddedCluster(extra_args=announced_at(BEFORE)) as cluster:
        services = {f"redis-{number}.test": node.port for number, node in enumerate(cluster.nodes)}
        names.point(dict.fromkeys(services, BEFORE))
        seeds = ",".join(f"{name}:{port}" for name, port in services.items())
        config = config_of(seeds, settings={"op_timeout": "0.5s"})
        clients = [[f"key:{client}"] for client in range(16)]
        with Proxy(config=config) as proxy, Stalls() as stalls, Load(proxy.port, clients, pause=0.02) as load:
            keys = [key for keys in clients for key in keys]
            await_true(lambda: load.journal.first_success(keys, 0.0))
            for old, new in itertools.pairwise(hosts):
                files = files_of(cluster)
                for node in cluster.nodes:
                    node.kill()
                for file in files:  # as an operator in Kubernetes does it
                    file.write_text(file.read_text().replace(f" {old}:", f" {new}:"))
                cluster.nodes = [
                    at_host(file.parent, new, node) for file, node in zip(files, cluster.nodes, strict=True)
                ]
                names.point(dict.fromkeys(services, new))
                cluster.await_healthy()
                up_at = time.monotonic()
                found_at = await_true(lambda up_at=up_at: load.journal.first_success(keys, up_at))  # type: ignore[misc]
                found.append(found_at - up_at)
                known = {shard["primary"].split(":")[0] for shard in proxy.clusters()[0]["shards"]}
                assert known == {new}
                end = load.go_on(1.0)[1]
                late = [e for e in load.journal.errors() if e.began > found_at + 1.0]
                assert late == []
    journal = load.journal
    assert (journal.broken, journal.wrong) == ([], [])
    assert all(error.error.startswith("CLUSTERDOWN ") or MAYBE in error.error for error in journal.errors())
    assert max(found) < FOUND + 2 * stalls.worst(0, end)
    figures.note("every address changes", "times", str(len(found)))
    figures.note("every address changes", "longest until the first success after the nodes are up", _ms(max(found)))
    figures.note("every address changes", "connections of clients lost", str(len(journal.broken)))


def at_host(directory: Path, host: str, before: RedisProcess) -> RedisProcess:
    """The node that lives in ``directory``, started at another host."""
    node = RedisProcess(directory, announced_at(host), is_cluster=True)
    node.port = before.port
    node.start()
    return node


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
