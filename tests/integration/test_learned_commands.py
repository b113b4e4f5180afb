"""Commands of a module that the nodes of a real cluster have loaded: learned, routed, described and counted."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rproxy.demo.embedded import EmbeddedCluster
from tests.support.client import RawClient
from tests.support.installed import IS_7
from tests.support.proxy import Proxy
from tests.support.waiting import await_true

SOURCE = Path(__file__).parents[1] / "support" / "tiny_module.c"


@pytest.fixture(scope="module")
def module_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """rproxy before a cluster whose nodes have the module."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("learned commands are NOT tested with a real module: there is no C compiler")
    if not IS_7:
        pytest.skip("learned commands are NOT tested with a real module: it needs Redis 7.0")
    library = tmp_path_factory.mktemp("module") / "tiny.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True, timeout=60)
    with (
        EmbeddedCluster(3, 0, extra_args=["--loadmodule", str(library)]) as cluster,
        Proxy(["--seed", cluster.seeds]) as proxy,
    ):
        await_true(lambda: proxy.metrics().total("rproxy_commands_learned") == 4)
        yield proxy


@pytest.fixture
def client(module_proxy: Proxy) -> Iterator[RawClient]:
    with module_proxy.client() as connection:
        yield connection


def test_they_go_to_the_shard_of_their_key(client: RawClient, module_proxy: Proxy) -> None:
    keys = [f"key:{number}" for number in range(50)]
    assert client.pipeline([("tiny.set", key, key) for key in keys]) == [b"+OK\r\n"] * 50
    expected = [b"$%d\r\n%b\r\n" % (len(key), key.encode()) for key in keys]
    assert client.pipeline([("TINY.GET", key) for key in keys]) == expected
    metrics = module_proxy.metrics()
    assert metrics.total("rproxy_commands_total", command="tiny.set", result="success") == 50
    assert metrics.total("rproxy_redirections_total") == 0


def test_moving_keys_are_found_by_their_specification(client: RawClient) -> None:
    for key in ("{t}1", "{t}2"):
        client.command("SET", key, "v")
    assert client.command("TINY.COUNT", 3, "{t}1", "{t}2", "{t}3") == b":2\r\n"
    assert client.command("TINY.COUNT", 2, "a", "b").startswith(b"-CROSSSLOT ")


def test_errors_are_those_of_one_server(client: RawClient) -> None:
    assert client.command("TINY.GET") == b"-ERR wrong number of arguments for 'tiny.get' command\r\n"
    refusal = b"-ERR TINY.ADMIN is not available through rproxy: it acts on one node\r\n"
    assert client.command("TINY.ADMIN") == refusal


def test_they_are_described(client: RawClient) -> None:
    described = client.command("COMMAND", "INFO", "tiny.count")
    assert b"\r\n+movablekeys\r\n" in described
    assert b"\r\nkeynum\r\n" in described
    listed = client.command("COMMAND", "LIST", "FILTERBY", "MODULE", "tiny")
    assert sorted(listed.split(b"\r\n")[2:-1:2]) == [b"tiny.count", b"tiny.get", b"tiny.set"]
