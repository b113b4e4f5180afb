"""Passwords of every kind are given to rproxy, and looked for in everything that it says to anybody."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rproxy.demo.embedded import EmbeddedCluster
from tests.support.client import RawClient
from tests.support.memory import Peak
from tests.support.proxy import Proxy, config_of

NODE, USER, FILED, WRONG, MIGRATED = "node-5ecret", "user-5ecret", "filed-5ecret", "wrong-5ecret", "other-5ecret"
MARK = "5ecret"
MIGRATION = ("MIGRATE", "127.0.0.1", "1", "{a}none", "0", "10", "AUTH", MIGRATED)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A cluster with passwords, and rproxy with users before it."""
    with EmbeddedCluster(primaries=3, replicas=0) as cluster:
        for node in cluster.nodes:
            assert node.call("CONFIG", "SET", "requirepass", NODE) == b"OK"
        file = tmp_path_factory.mktemp("secrets") / "password"
        file.write_text(FILED)
        config = config_of(cluster.seeds, cluster={"password": NODE})
        config["listeners"][0]["redis_proxy"]["users"] = [
            {"name": "default", "rules": f"on >{USER} ~* &* +@all"},
            {"name": "app", "rules": "on ~* &* +@all", "password_files": [str(file)]},
        ]
        with Proxy(config=config) as proxy:
            yield proxy


def logged_in(proxy: Proxy) -> RawClient:
    client = proxy.client()
    assert client.command("AUTH", USER) == b"+OK\r\n"
    return client


def test_no_password_is_told_to_anybody(guarded: Proxy) -> None:
    with logged_in(guarded) as watching, logged_in(guarded) as client, guarded.client() as stranger:
        assert client.command("CONFIG", "SET", "slowlog-log-slower-than", "0") == b"+OK\r\n"
        assert watching.command("MONITOR") == b"+OK\r\n"
        told = [stranger.command("AUTH", WRONG), stranger.command("AUTH", "app", WRONG)]
        told += [stranger.command("HELLO", "3", "AUTH", "app", WRONG), stranger.command("AUTH", "app", WRONG, "more")]
        assert all(reply.startswith(b"-") for reply in told)
        told += [client.command("HELLO", "2", "AUTH", "app", FILED), client.command("AUTH", USER)]
        told.append(client.command(*MIGRATION))
        told += [client.command("SET", "{a}x", "seen"), client.command("EXEC")]
        for question in (
            ("INFO", "everything"),
            ("CONFIG", "GET", "*"),
            ("CLIENT", "LIST"),
            ("CLIENT", "INFO"),
            ("SLOWLOG", "GET", "-1"),
            ("ACL", "LIST"),
            ("ACL", "GETUSER", "app"),
            ("ACL", "LOG"),
            ("COMMAND", "DOCS", "auth"),
        ):
            told.append(client.command(*question))
        shown = b""
        while b'"SET"' not in shown:
            shown = watching.read_reply()
            told.append(shown)
    said = [reply.decode("latin-1") for reply in told]
    said += [guarded.admin(path)[1] for path in ("/", "/config_dump", "/metrics", "/clusters", "/healthz", "/readyz")]
    checked = subprocess.run(
        [sys.executable, "-m", "rproxy", "check", "-c", str(guarded.config_file)], capture_output=True, text=True
    )
    assert checked.returncode == 0
    said += [checked.stdout, checked.stderr, guarded.output]
    assert [text for text in said if MARK in text] == []


def test_a_configuration_that_is_refused_keeps_its_passwords(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "listeners:\n- name: redis\n  address: 127.0.0.1:1\n  redis_proxy:\n"
        f"    users:\n    - {{name: default, rules: 'on >{USER} nonsense'}}\n"
        "    prefix_routes: {catch_all_route: {cluster: main}}\n"
        f"clusters:\n- {{name: main, endpoints: ['127.0.0.1:2'], password: [{NODE}]}}\n"
    )
    checked = subprocess.run([sys.executable, "-m", "rproxy", "check", "-c", str(file)], capture_output=True, text=True)
    assert checked.returncode != 0
    assert MARK not in checked.stdout + checked.stderr


def test_half_a_command_takes_no_memory_for_what_it_promises(guarded: Proxy) -> None:
    halves = (b"*1000000\r\n$536870912\r\nx", b"*1048576\r\n$1\r\nx\r\n", b"*2\r\n$3\r\nGET\r\n$400000000\r\n")
    with logged_in(guarded) as good, Peak(guarded.pid) as memory:
        clients = [logged_in(guarded) for _ in range(300)]
        for number, client in enumerate(clients):
            client.send(halves[number % len(halves)])
        assert good.pipeline([("SET", "k", "v"), ("GET", "k")]) == [b"+OK\r\n", b"$1\r\nv\r\n"]
        for client in clients:
            client.__exit__(None, None, None)
    assert memory.growth < 32 * 1024**2
