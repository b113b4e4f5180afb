"""The beginning and the end of the process."""

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.ports import free_port
from tests.support.client import RawClient, pack
from tests.support.proxy import Proxy, config_of
from tests.support.waiting import await_true


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rproxy", "serve", *arguments], capture_output=True, text=True, timeout=60
    )


def test_it_listens_before_it_knows_the_topology_and_says_so() -> None:
    with EmbeddedCluster(primaries=1, replicas=0) as cluster:
        cluster.nodes[0].kill()
        config = config_of(cluster.seeds, settings={"op_timeout": "1s"}, cluster={"cluster_refresh_rate": "0.2s"})
        proxy = Proxy(config=config)
        try:
            proxy.launch()
            await_true(lambda: is_listening(proxy.port))
            with proxy.client() as client:
                assert client.command("PING") == b"+PONG\r\n"
                for command in (("GET", "a"), ("MGET", "a", "b"), ("DBSIZE",)):
                    assert client.command(*command).startswith(b"-CLUSTERDOWN ")
                await_true(lambda: is_listening(proxy.admin_port))
                status, reason = proxy.admin("/readyz")
                assert status == 503
                assert "main" in reason
                assert proxy.admin("/healthz")[0] == 200
                cluster.nodes[0].restart()
                await_true(lambda: client.command("SET", "a", "1") == b"+OK\r\n")
            await_true(proxy.is_ready)
        finally:
            proxy.stop()


def test_a_one_node_cluster_is_enough() -> None:
    with (
        EmbeddedCluster(primaries=1, replicas=0) as cluster,
        Proxy(["--seed", cluster.seeds]) as proxy,
        proxy.client() as client,
    ):
        assert client.command("MSET", "a", "1", "b", "2") == b"+OK\r\n"
        assert client.command("DBSIZE") == b":2\r\n"


def test_seeds_may_be_names_dead_or_repeated(cluster: EmbeddedCluster) -> None:
    port = cluster.nodes[1].port
    flags = ["--seed", f"127.0.0.1:{free_port()}", "--seed", f"localhost:{port},localhost:{port}"]
    with Proxy(flags) as proxy, proxy.client() as client:
        assert client.command("SET", "a", "1") == b"+OK\r\n"


def test_sigterm_finishes_what_is_in_flight_and_exits_0(cluster: EmbeddedCluster) -> None:
    node = cluster.primary_of("slow")
    with Proxy(["--seed", cluster.seeds]) as proxy:
        client, idle = proxy.client(), proxy.client()
        assert client.command("SET", "slow", "1") == b"+OK\r\n"
        assert idle.command("PING") == b"+PONG\r\n"
        node.stop_process()
        client.send(pack("INCR", "slow") * 100)
        await_true(lambda: proxy.metrics().total("rproxy_upstream_requests_in_flight", cluster="main") == 100)
        release = threading.Timer(0.5, node.cont)
        release.start()
        assert proxy.terminate() == 0
        release.join()
        assert [client.read_reply() for _ in range(100)] == [b":%d\r\n" % number for number in range(2, 102)]
        assert client.read_to_end() == b""
        assert idle.read_to_end() == b""
        assert not is_listening(proxy.port)
        assert "Traceback" not in proxy.output


def test_the_drain_has_a_limit(cluster: EmbeddedCluster) -> None:
    node = cluster.primary_of("slow")
    with Proxy(config=config_of(cluster.seeds) | {"drain_timeout": "0.3s"}) as proxy, proxy.client() as client:
        assert client.command("SET", "slow", "1") == b"+OK\r\n"
        node.stop_process()
        try:
            client.send(pack("INCR", "slow"))
            await_true(lambda: proxy.metrics().total("rproxy_upstream_requests_in_flight", cluster="main") == 1)
            began = time.monotonic()
            status = proxy.terminate()
            assert time.monotonic() - began < 10
        finally:
            node.cont()
        assert status in (0, 1)
        assert "Traceback" not in proxy.output


def test_a_taken_port_is_one_clear_line(cluster: EmbeddedCluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = serve("--listen", address, "--seed", cluster.seeds)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert [line for line in ended.stderr.splitlines() if address in line]
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_taken_admin_port_is_one_clear_line(cluster: EmbeddedCluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        listen = f"127.0.0.1:{free_port()}"
        ended = serve("--listen", listen, "--seed", cluster.seeds, "--admin", address)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert address in ended.stderr.strip().splitlines()[-1]


def test_a_seed_that_is_no_name_is_one_clear_line_and_asked_again() -> None:
    proxy = Proxy(["--seed", "no-such-host.invalid:6379"])
    try:
        proxy.launch()
        await_true(lambda: "no-such-host.invalid" in proxy.output, seconds=60)  # a resolver may try for long
        with RawClient(proxy.port) as client:
            assert client.command("GET", "a").startswith(b"-CLUSTERDOWN ")
        assert proxy.terminate() == 0
        assert "Traceback" not in proxy.output
        lines = [line for line in proxy.output.splitlines() if "no-such-host.invalid:6379" in line]
        assert 1 <= len(lines) <= 3
    finally:
        proxy.stop()


def test_an_unreadable_file_is_one_clear_line(tmp_path: Path) -> None:
    ended = serve("-c", str(tmp_path / "none.yaml"))
    assert ended.returncode in (1, 2)
    assert len(ended.stderr.strip().splitlines()) == 1
    assert "none.yaml" in ended.stderr


def test_it_serves_on_a_unix_socket(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    path = tmp_path / "rproxy.sock"
    config = config_of(cluster.seeds)
    first = config["listeners"][0]
    config["listeners"] = [first, {**first, "name": "local", "address": f"unix:{path}"}]
    with Proxy(config=config), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(path))
        client.sendall(pack("SET", "a", "1"))
        assert client.recv(100) == b"+OK\r\n"


@pytest.mark.parametrize("number", [2, 15])
def test_both_signals_end_it_quietly(cluster: EmbeddedCluster, number: int) -> None:
    with Proxy(["--seed", cluster.seeds]) as proxy:
        proxy.send_signal(number)
        assert proxy.await_end() == 0
        assert "Traceback" not in proxy.output
