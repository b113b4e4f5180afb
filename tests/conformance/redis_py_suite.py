"""redis-py's own test-suite against one Redis and against rproxy before a cluster: what passes there passes here.

The suite comes with the source archive of the installed redis-py, which is fetched once into ``build/redis-py``.
``redis_py_differences.toml`` lists the tests that may pass on one Redis alone, each with its reason; any other that
does fails the run. ``python -m tests.conformance.redis_py_suite [-k EXPRESSION]``, or ``make conformance``.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import click

from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis
from tests.support.proxy import Proxy

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / "build" / "redis-py"
DIFFERENCES = HERE / "redis_py_differences.toml"
MOST_SECONDS = 570
OPTIONS = (
    *("-v", "--tb=line", "-W", "ignore", "-p", "no:cacheprovider"),
    *("--continue-on-collection-errors", "--timeout=20", "--timeout-method=signal"),
)
FILES = (
    *("test_commands", "test_connect", "test_connection", "test_connection_pool", "test_encoding", "test_function"),
    *("test_lock", "test_monitor", "test_pipeline", "test_pubsub", "test_scripting", "test_keyspace_notifications"),
    *("test_asyncio/test_commands", "test_asyncio/test_connect", "test_asyncio/test_connection"),
    *("test_asyncio/test_connection_pool", "test_asyncio/test_encoding", "test_asyncio/test_lock"),
    *("test_asyncio/test_monitor", "test_asyncio/test_pipeline", "test_asyncio/test_pubsub"),
    *("test_asyncio/test_scripting", "test_asyncio/test_keyspace_notifications"),
)
"""The files with tests that speak to one server; the others need modules, TLS, Sentinel or a cluster of their own."""

Results = dict[str, str]
"""``passed``, ``failed`` or ``skipped`` by test, without the parameters: the worst of all."""
_RANK = {"passed": 1, "skipped": 0, "failed": 2}


def fetch() -> Path:
    """The folder of the unpacked source archive."""
    release = version("redis")
    folder = CACHE / f"redis-{release}"
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        source = ["--no-binary", "redis", "--no-deps", "--dest", str(CACHE), f"redis=={release}"]
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *source], check=True, timeout=300)
        with tarfile.open(CACHE / f"redis-{release}.tar.gz") as archive:
            archive.extractall(CACHE, filter="data")
    return folder


def run(folder: Path, name: str, port: int, options: Sequence[str]) -> Results:
    """Run the suite against the server on ``port``. Raises ``subprocess.TimeoutExpired`` if it does not end."""
    report = CACHE / f"{name}.xml"
    report.unlink(missing_ok=True)
    files = [f"tests/{file}.py" for file in FILES if (folder / f"tests/{file}.py").exists()]
    arguments = [*OPTIONS, f"--redis-url=redis://127.0.0.1:{port}/0", f"--junitxml={report}", *options, *files]
    with (CACHE / f"{name}.log").open("wb") as log:
        subprocess.run(
            [sys.executable, "-m", "pytest", *arguments], cwd=folder, stdout=log, stderr=log, timeout=MOST_SECONDS
        )
    return results_of(report.read_text())


def results_of(report: str) -> Results:
    """The results in a JUnit report."""
    results: Results = {}
    for case in ElementTree.fromstring(report).iter("testcase"):
        name = f"{case.get('classname', '').removeprefix('tests.')}.{case.get('name', '').partition('[')[0]}"
        kinds = {child.tag for child in case}
        result = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        results[name] = max(result, results.get(name, result), key=_RANK.__getitem__)
    return results


def allowed_differences() -> dict[str, str]:
    """The reason by test."""
    groups = tomllib.loads(DIFFERENCES.read_text())["difference"]
    return {test: group["reason"] for group in groups for test in group["tests"]}


def differing(directly: Results, through: Results) -> list[str]:
    """The tests that pass directly and not through rproxy, in order."""
    return sorted(test for test, result in directly.items() if result == "passed" != through.get(test))


def both(options: Sequence[str]) -> tuple[Results, Results]:
    """The results directly and through rproxy; the two runs go side by side."""
    folder = fetch()
    with (
        EmbeddedRedis() as redis,
        EmbeddedCluster() as cluster,
        Proxy(["--seed", cluster.seeds]) as proxy,
        ThreadPoolExecutor() as pool,
    ):
        ports = {"directly": redis.port, "through": proxy.port}
        runs = [pool.submit(run, folder, name, port, options) for name, port in ports.items()]
        return runs[0].result(), runs[1].result()


def report(directly: Results, through: Results, allowed: Mapping[str, str]) -> int:
    """Print what differs. The exit status: 0 if all of it is allowed."""
    found = differing(directly, through)
    new = [test for test in found if test not in allowed]
    passed = sum(result == "passed" for result in directly.values())
    click.echo(f"{passed} tests pass on one Redis, {passed - len(found)} of them through rproxy too")
    for test in new:
        click.secho(f"passes on one Redis and not through rproxy: {test} ({through.get(test, 'missing')})", fg="red")
    for test in sorted(set(allowed) & {test for test, result in through.items() if result == "passed"}):
        click.secho(f"listed as a difference, but passes: {test}", fg="yellow")
    return 1 if new else 0


@click.command()
@click.option("-k", "expression", default="", help="Only the tests that match, as in pytest.")
def main(expression: str) -> None:
    """Run redis-py's own tests directly and through rproxy, and compare."""
    began = time.monotonic()
    directly, through = both(["-k", expression] if expression else [])
    status = report(directly, through, allowed_differences())
    click.echo(f"{time.monotonic() - began:.0f} s; the logs are in {CACHE}")
    sys.exit(status)


if __name__ == "__main__":
    main()
