"""What happens to processes and directories when the process that holds them is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.waiting import await_true

OWNER = """
import subprocess, sys, time
from rproxy.demo.leash import leash
kept, released = (subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) for _ in range(2))
for thing in (kept.pid, released.pid, sys.argv[1]):
    leash().hold(thing)
leash().release(released.pid)
print(kept.pid, released.pid, flush=True)
time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text() if Path("/proc/self").exists() else ""
        os.kill(pid, 0)
    except (ProcessLookupError, FileNotFoundError):
        return False
    return " Z " not in status


def test_what_is_held_ends_with_its_owner(tmp_path: Path) -> None:
    directory = tmp_path / "with space"
    directory.mkdir()
    (directory / "file").write_text("x")
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(directory)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    kept, released = map(int, owner.stdout.readline().split())
    try:
        assert is_alive(kept)
        assert is_alive(released)
        owner.kill()
        owner.wait()
        await_true(lambda: not is_alive(kept))
        await_true(lambda: not directory.exists())
        assert is_alive(released)
    finally:
        owner.stdout.close()
        os.kill(released, signal.SIGKILL)
