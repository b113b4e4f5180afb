"""``rproxy serve`` as a process of its own, as a user runs it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from rproxy.demo.leash import leash
from rproxy.errors import StartError


class ProxyProcess:
    """``python -m rproxy serve`` with the flags ``arguments`` or the configuration ``config``, written to a file.

    ``admin_port`` is the loopback port of its admin server, on which it is asked whether it is ready. What the process
    writes is kept in a file and read with ``output``. A context manager that starts it, waits, and ends it.
    """

    def __init__(
        self,
        arguments: Sequence[str] = (),
        *,
        config: Mapping[str, Any] | None = None,
        admin_port: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.admin_port = admin_port
        self._arguments = list(arguments)
        self._config = config
        self._environment = environment
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id. Raises ``RuntimeError`` before the start."""
        return self._started.pid

    @property
    def config_file(self) -> Path:
        """The file that it was started with. Raises ``RuntimeError`` if it does not run."""
        return self._log.with_name("rproxy.yaml")

    @property
    def is_running(self) -> bool:
        """Whether the process exists."""
        return self._process is not None and self._process.poll() is None

    @property
    def output(self) -> str:
        """What the process has written to standard output and error so far."""
        return self._log.read_text(errors="replace") if self._directory else ""

    def launch(self) -> None:
        """Start the process and wait for nothing."""
        self._directory = Path(tempfile.mkdtemp(prefix="rproxy-proxy-"))
        leash().hold(str(self._directory))
        if self._config is not None:
            file = self._directory / "rproxy.yaml"
            file.write_text(yaml.safe_dump(dict(self._config), sort_keys=False))
            self._arguments += ["-c", str(file)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter and this package
                [sys.executable, "-m", "rproxy", "serve", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,  # Ctrl-C is ours to handle: the proxy ends before the nodes
            )
        leash().hold(self._process.pid)

    def await_ready(self, seconds: float = 30.0) -> None:
        """Wait until every cluster has a topology. Raises ``StartError`` with the last line it wrote."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.is_running:
            if self.is_ready():
                return
            time.sleep(0.02)
        last = (self.output.strip().splitlines() or ["it wrote nothing"])[-1]
        raise StartError(f"rproxy {'is not ready' if self.is_running else 'has ended'}: {last}")

    def is_ready(self) -> bool:
        """What ``/readyz`` answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self, seconds: float = 15.0) -> int:
        """SIGTERM, and the exit status, -9 if it had to be killed after ``seconds``. Its output is gone afterwards."""
        status = self.terminate(seconds) if self._process else 0
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)
            leash().release(str(self._directory))
            self._directory = None
        return status

    def terminate(self, seconds: float = 15.0) -> int:
        """As ``stop``, but the output can still be read."""
        process = self._started
        process.terminate()
        return self.await_end(seconds)

    def send_signal(self, number: int) -> None:
        """Send a signal, and wait for nothing."""
        self._started.send_signal(number)

    def await_end(self, seconds: float = 15.0) -> int:
        """Wait for the process to end by itself, and kill it after ``seconds``. The exit status."""
        process = self._started
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        status = process.wait()
        leash().release(process.pid)
        return status

    @property
    def _log(self) -> Path:
        if self._directory is None:
            raise RuntimeError("this rproxy does not run")
        return self._directory / "output.log"

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("this rproxy was not started")
        return self._process

    def __enter__(self) -> Self:
        try:
            self.launch()
            self.await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
