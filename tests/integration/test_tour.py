"""``rproxy demo`` without a terminal: every step holds, and nothing is left behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def processes_of(directory: Path) -> list[str]:
    """The command lines of processes that work in ``directory``."""
    return [
        (process / "cmdline").read_text()
        for process in Path("/proc").glob("[0-9]*")
        if os.access(process / "cwd", os.R_OK) and str(directory) in os.readlink(process / "cwd")
    ]


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="counts processes in /proc")
def test_the_tour_holds_and_cleans_up(tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", "rproxy", "demo"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "FAILED" not in ended.stdout
    assert ended.stdout.count("  ok: ") == 5
    assert ended.stderr == ""
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []
