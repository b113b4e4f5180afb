"""ioredis and node-redis in ordinary use: the same answers through rproxy as directly."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rproxy.demo.embedded import EmbeddedRedis
from tests.support.proxy import Proxy

HERE = Path(__file__).parent
FILES = ("package.json", "ioredis.js", "node_redis.js")


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with the scripts and the installed clients."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("ioredis and node-redis are NOT tested: node and npm are not installed")
    directory = tmp_path_factory.mktemp("node")
    for name in FILES:
        shutil.copy(HERE / name, directory)
    install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    installed = subprocess.run(install, cwd=directory, capture_output=True, text=True, timeout=180)
    if installed.returncode:
        reason = (installed.stderr.strip().splitlines() or ["no reason given"])[0]
        pytest.skip(f"ioredis and node-redis are NOT tested: npm could not install them ({reason})")
    yield directory
    shutil.rmtree(directory)


def answers(scripts: Path, script: str, port: int, *options: str) -> dict[str, Any]:
    run = ["node", script, str(port), *options]
    ended = subprocess.run(run, cwd=scripts, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    return dict(json.loads(ended.stdout))


def test_ioredis(scripts: Path, proxy: Proxy, standalone: EmbeddedRedis) -> None:
    directly = answers(scripts, "ioredis.js", standalone.port)
    assert directly["get"] == "hällo"
    assert directly["lost"] is None
    assert directly["wrong type"].startswith("ReplyError: WRONGTYPE")
    assert answers(scripts, "ioredis.js", proxy.port) == directly


def test_the_cluster_client_of_ioredis(scripts: Path, proxy: Proxy, standalone: EmbeddedRedis) -> None:
    directly = answers(scripts, "ioredis.js", standalone.port)
    del directly["name"]
    assert answers(scripts, "ioredis.js", proxy.port, "cluster") == directly


@pytest.mark.parametrize("protocol", ["2", "3"])
def test_node_redis(scripts: Path, proxy: Proxy, standalone: EmbeddedRedis, protocol: str) -> None:
    directly = answers(scripts, "node_redis.js", standalone.port, protocol)
    assert directly["get"] == "hällo"
    assert directly["lost"] == "WatchError"
    assert answers(scripts, "node_redis.js", proxy.port, protocol) == directly
