"""The command line as a user meets it: real processes, what they write, and the status they end with."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import yaml

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.ports import free_port
from tests.support.client import RawClient
from tests.support.waiting import await_true

RPROXY = [sys.executable, "-m", "rproxy"]
NOWHERE = "127.0.0.1:1"
"""An address where no Redis is."""


def run(*words: str | bytes) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RPROXY, *words], capture_output=True, text=True, timeout=60)


@contextmanager
def serving(*words: str) -> Iterator[subprocess.Popen[str]]:
    """``rproxy serve`` until the end of the block, whatever happens in it."""
    process = subprocess.Popen([*RPROXY, "serve", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def end(process: subprocess.Popen[str], number: int) -> tuple[int, str]:
    """The status with which ``process`` ends on a signal, and all it wrote."""
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out + err


def is_open(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_keyslot_agrees_with_a_node(cluster: EmbeddedCluster) -> None:
    draw = random.Random(4)
    keys = [bytes(draw.choices(b"abc{}:\xff\x80", k=draw.randint(1, 12))) for _ in range(50)]
    command: list[str | bytes] = [*RPROXY, "keyslot", "--", *keys]
    lines = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.splitlines()
    with cluster.nodes[0].connect() as node:
        expected = [b"%d %b" % (node.call("CLUSTER", "KEYSLOT", key), key) for key in keys]
    assert lines == expected


def test_a_checked_file_is_served(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    port, path = free_port(), tmp_path / "rproxy.yaml"
    routes = {"catch_all_route": {"cluster": "main"}}
    listener = {"name": "redis", "address": f"127.0.0.1:{port}", "redis_proxy": {"prefix_routes": routes}}
    clusters = [{"name": "main", "endpoints": cluster.seeds.split(",")}]
    path.write_text(yaml.safe_dump({"listeners": [listener], "clusters": clusters}))
    checked = run("check", "-c", str(path))
    assert (checked.returncode, checked.stderr) == (0, "")
    path.write_text(checked.stdout)
    with serving("-c", str(path)) as process:
        await_true(lambda: is_open(port))
        assert await_true(lambda: answer(port, "SET", "a", "1") == b"+OK\r\n")
        assert answer(port, "GET", "a") == b"$1\r\n1\r\n"
        status, written = end(process, signal.SIGTERM)
    assert status == 0
    assert "Traceback" not in written


def test_a_unix_socket_is_served(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    path = tmp_path / "rproxy.sock"
    with serving("--listen", f"unix:{path}", "--seed", cluster.seeds):
        await_true(path.exists)
        with closing(socket.socket(socket.AF_UNIX)) as client:
            client.settimeout(30)
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            assert client.recv(100) == b"+PONG\r\n"


def test_the_listener_is_open_without_a_backend_and_says_so() -> None:
    port = free_port()
    with serving("--listen", f"127.0.0.1:{port}", "--seed", NOWHERE):
        await_true(lambda: is_open(port))
        assert answer(port, "PING") == b"+PONG\r\n"
        assert answer(port, "GET", "a").startswith(b"-CLUSTERDOWN")


def test_a_seed_that_does_not_resolve_is_told_in_one_line_and_is_no_reason_to_end() -> None:
    port = free_port()
    with serving("--listen", f"127.0.0.1:{port}", "--seed", "no-such-host.invalid:6379") as process:
        await_true(lambda: is_open(port))
        assert answer(port, "GET", "a").startswith(b"-")
        assert process.stderr is not None
        told = next(line for line in process.stderr if "no-such-host.invalid" in line)
        status, rest = end(process, signal.SIGTERM)
    assert "no-such-host.invalid:6379" in told
    assert status == 0
    assert "Traceback" not in rest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_without_a_traceback(number: int) -> None:
    port = free_port()
    with serving("--listen", f"127.0.0.1:{port}", "--seed", NOWHERE) as process:
        await_true(lambda: is_open(port))
        status, written = end(process, number)
    assert status == 0
    assert "Traceback" not in written


def test_a_taken_port_is_one_clear_line() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        ended = run("serve", "--listen", address, "--seed", NOWHERE)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("rproxy: ")
    assert address in line
    assert "in use" in line


def test_a_wrong_file_is_told_with_lines(tmp_path: Path) -> None:
    path = tmp_path / "rproxy.yaml"
    path.write_text("listeners: []\nclusters:\n- name: main\n  endpoint: [a:1]\n")
    ended = run("serve", "-c", str(path))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == [
        f"rproxy: {path}:1: listeners: must not be empty",
        f"rproxy: {path}:3: clusters[0].endpoints: is required",
        f"rproxy: {path}:4: clusters[0].endpoint: unknown key; did you mean endpoints?",
    ]


def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    ended = run("serve", "-c", str(tmp_path))
    assert (ended.returncode, ended.stderr) == (2, f"rproxy: {tmp_path}: Is a directory\n")


def answer(port: int, *words: str) -> bytes:
    """The raw reply of rproxy on ``port`` to a command."""
    with RawClient(port) as client:
        return client.command(*words)
