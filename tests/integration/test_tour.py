"""``rproxy demo`` without a terminal: every step holds, and nothing is left behind, however it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.waiting import await_true

pytestmark = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="counts processes in /proc")


def take_tour(directory: Path) -> subprocess.Popen[str]:
    """A tour whose temporary files are in ``directory``."""
    return subprocess.Popen(
        [sys.executable, "-m", "rproxy", "demo"],
        env=os.environ | {"TMPDIR": str(directory)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_interrupts,  # noqa: PLW1509 - nothing else runs in this process
    )


def _heed_interrupts() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so does all that this starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def is_clean(directory: Path) -> bool:
    """Whether ``directory`` is empty and no process works in it or was told of it."""
    return not list(directory.iterdir()) and not any(map(mentions(directory), Path("/proc").glob("[0-9]*")))


def mentions(directory: Path) -> Callable[[Path], bool]:
    def is_about(process: Path) -> bool:
        try:
            return str(directory) in os.readlink(process / "cwd") + (process / "cmdline").read_text()
        except OSError:
            return False  # it has ended, or is not ours

    return is_about


def test_the_tour_holds_and_cleans_up(tmp_path: Path) -> None:
    tour = take_tour(tmp_path)
    output, errors = tour.communicate(timeout=120)
    assert (tour.returncode, errors) == (0, ""), output
    assert "FAILED" not in output
    assert output.count("  ok: ") == 5
    assert is_clean(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_tour_that_is_ended_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with take_tour(tmp_path) as tour:
        assert tour.stdout is not None
        assert tour.stderr is not None
        while "placement" not in tour.stdout.readline():
            assert tour.poll() is None
        tour.send_signal(number)
        assert tour.wait(20) != 0
        assert "Traceback" not in tour.stderr.read()
    await_true(lambda: is_clean(tmp_path))
