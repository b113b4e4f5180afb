"""ioredis in ordinary use: the same answers through rproxy as directly."""

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


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with the script and an installed ioredis."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("ioredis is NOT tested: node and npm are not installed")
    directory = tmp_path_factory.mktemp("ioredis")
    for name in ("package.json", "ordinary_use.js", "cluster_use.js"):
        shutil.copy(HERE / name, directory)
    install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    installed = subprocess.run(install, cwd=directory, capture_output=True, text=True, timeout=180)
    if installed.returncode:
        reason = (installed.stderr.strip().splitlines() or ["no reason given"])[0]
        pytest.skip(f"ioredis is NOT tested: npm could not install it ({reason})")
    yield directory
    shutil.rmtree(directory)


def answers(scripts: Path, port: int, script: str = "ordinary_use.js") -> dict[str, Any]:
    run = ["node", script, str(port)]
    ended = subprocess.run(run, cwd=scripts, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    return dict(json.loads(ended.stdout))


def test_answers_are_the_same_as_directly(scripts: Path, proxy: Proxy, standalone: EmbeddedRedis) -> None:
    directly = answers(scripts, standalone.port)
    assert directly["get"] == "hällo"
    assert directly["wrong type"].startswith("ReplyError: WRONGTYPE")
    assert answers(scripts, proxy.port) == directly


def test_its_cluster_client_finds_one_node(scripts: Path, proxy: Proxy) -> None:
    found = answers(scripts, proxy.port, "cluster_use.js")
    assert found["values"] == [str(number) for number in range(100)]
    assert found["masters"] == [proxy.port]
    assert found["tagged"] == ["1", "2"]
    assert found["pipeline"] == [number + 1 for number in range(50)]
    assert found["slots"] == [0, 16383]
