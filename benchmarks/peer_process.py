"""One running proxy: started from its row, asked for its processor time and memory, ended."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Any, Self

import hiredis
import psutil  # type: ignore[import-untyped,import-not-found,unused-ignore]

from benchmarks.backends import Node
from benchmarks.cases import SMALL
from benchmarks.peers import CONFIGS, Peer
from rproxy.demo.leash import leash
from rproxy.demo.ports import free_port
from rproxy.demo.wire_client import WireClient
from rproxy.errors import StartError

HOST = "127.0.0.1"
_START_SECONDS = 20.0
_PROBED_KEYS = 50


class PeerProcess:
    """A proxy before ``nodes``, on a free port; a context manager."""

    def __init__(self, peer: Peer, nodes: Sequence[Node]) -> None:
        self.peer = peer
        self._nodes = nodes
        self._directory = Path(tempfile.mkdtemp(prefix="rproxy-bench-"))
        leash().hold(str(self._directory))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it serves keys of every shard. Raises ``StartError`` with its last line of output."""
        program = self.peer.locate()
        if program is None:
            raise StartError(f"{self.peer.title} is not here: {self.peer.how_to_get}")
        with (self._directory / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [*program, *self._arguments()],
                env={**os.environ, **self.peer.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        leash().hold(self._process.pid)
        self._await_service()

    def stop(self) -> None:
        """End it and its children, and remove its files."""
        if self._process is not None:
            tree = self._tree() if self._process.poll() is None else []
            self._process.terminate()
            _, alive = psutil.wait_procs(tree, timeout=3)
            for process in alive:
                process.kill()
            self._process.wait()
            leash().release(self._process.pid)
        shutil.rmtree(self._directory, ignore_errors=True)
        leash().release(str(self._directory))

    def processor_time(self) -> tuple[float, float]:
        """Seconds so far in user code and in the kernel, of all its processes. ``StartError`` if it has ended."""
        times = self._of_each(lambda process: process.cpu_times())
        return sum(time.user for time in times), sum(time.system for time in times)

    def resident_memory(self) -> int:
        """Resident bytes of all its processes. Raises ``StartError`` if it has ended."""
        return sum(self._of_each(lambda process: process.memory_info().rss))

    def descriptors(self) -> dict[int, int]:
        """Open descriptors by process id. Raises ``StartError`` if it has ended."""
        return dict(self._of_each(lambda process: (process.pid, process.num_fds())))

    def _of_each(self, figure: Callable[[psutil.Process], Any]) -> list[Any]:
        try:
            return [figure(process) for process in self._tree()]
        except psutil.Error:
            raise StartError(f"{self.peer.title} has ended: {self._last_line()}") from None

    def _tree(self) -> list[psutil.Process]:
        if self._process is None or self._process.poll() is not None:
            raise StartError(f"{self.peer.title} has ended: {self._last_line()}")
        root = psutil.Process(self._process.pid)
        return [root, *root.children(recursive=True)]

    def _arguments(self) -> list[str]:
        config = self._directory / self.peer.config
        lines = [
            Template(self.peer.endpoint).substitute(host=HOST, port=node.port, listen=node.address)
            for node in self._nodes
        ]
        values = {
            "host": HOST,
            "port": str(self.port),
            "listen": f"{HOST}:{self.port}",
            "spare_port": str(free_port()),
            "config": str(config),
            "endpoints": "\n".join(lines),
            **self.peer.settings,
        }
        config.write_text(Template((CONFIGS / self.peer.config).read_text()).substitute(values))
        return [Template(argument).substitute(values) for argument in self.peer.arguments]

    def _await_service(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._serves():
            if self._process is None or self._process.poll() is not None:
                raise StartError(f"{self.peer.title} has ended: {self._last_line()}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.peer.title} served no keys in {_START_SECONDS:.0f} s: {self._last_line()}")
            time.sleep(0.05)

    def _serves(self) -> bool:
        gets = [("GET", SMALL.key(number)) for number in range(_PROBED_KEYS)]
        try:
            with WireClient(self.port, HOST, timeout=2) as client:
                return all(isinstance(reply, bytes) for reply in client.call_all(list(gets)))
        except (OSError, hiredis.ProtocolError):
            return False

    def _last_line(self) -> str:
        try:
            lines = (self._directory / "output").read_text(errors="replace").split("\n")
        except OSError:
            lines = []
        return next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
