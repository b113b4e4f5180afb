"""The machine and the tools of a run, as they are stated beside its figures."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

from benchmarks.redis_benchmark import RedisBenchmark
from benchmarks.results import Machine
from rproxy.demo.redis_process import find_redis_server, version_of


def this_machine() -> Machine:
    """What can be found out here. Raises ``StartError`` without a redis-server."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 0,
        system=f"{platform.system()} {_number(platform.release())}",
        python=platform.python_version(),
        redis_server="{}.{}".format(*version_of(find_redis_server())),
        redis_benchmark=RedisBenchmark().version() or "not installed",
        revision=_revision(),
    )


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()


def _number(release: str) -> str:
    """The numeric part of a kernel's release."""
    found = re.match(r"[\d.]+", release)
    return found[0] if found else release


def _revision() -> str:
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return answer.stdout.strip()
