"""A proxy whose program is started anew while it serves: SIGUSR2."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from rproxy.demo.leash import leash
from tests.support.proxy import Proxy
from tests.support.waiting import await_true


class Restarting:
    """A proxy that is succeeded by others; ``pids`` are those of all of them, in order."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.pids = [proxy.pid]

    @property
    def pid(self) -> int:
        """The process that serves now."""
        return self.pids[-1]

    def ask(self) -> int:
        """Ask for a successor, and give its process id."""
        before = self.successors()
        os.kill(self.pid, signal.SIGUSR2)
        await_true(lambda: len(self.successors()) > len(before), seconds=30)
        pid = self.successors()[-1]
        leash().hold(pid)
        return pid

    def restart(self, seconds: float = 60.0) -> None:
        """Have a successor take over, and wait until the one before has ended."""
        pid = self.ask()
        if len(self.pids) == 1:
            assert self.proxy.await_end(seconds) == 0
        else:
            await_true(lambda: not is_alive(self.pid), seconds)
            leash().release(self.pid)
        self.pids.append(pid)

    def successors(self) -> list[int]:
        return [int(pid) for pid in re.findall(r"process (\d+) is to take the place", self.proxy.output)]

    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = yaml.safe_load(self.proxy.config_file.read_text())
        return config

    def write(self, config: dict[str, Any]) -> None:
        self.proxy.config_file.write_text(yaml.safe_dump(config, sort_keys=False))

    def end(self) -> None:
        """End the last one as an operator would."""
        if len(self.pids) > 1:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
            await_true(lambda: not is_alive(self.pid), seconds=30)
            leash().release(self.pid)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one whose parent has ended may be a zombie of a container's first process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
