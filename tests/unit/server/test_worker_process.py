import sys
from pathlib import Path
from typing import Any

import pytest

from rproxy.errors import StartError
from rproxy.server.control import StartQuestion
from rproxy.server.worker_process import WorkerProcess, worker_command

ROOT = Path(__file__).parents[3]


def test_a_worker_is_this_interpreter_and_this_rproxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert worker_command() == [sys.executable, "-m", "rproxy.server.worker_main"]


def test_an_rproxy_in_the_working_directory_is_not_taken_for_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert worker_command() == [sys.executable, "-P", "-m", "rproxy.server.worker_main"]


async def test_a_process_that_ends_before_it_has_started_is_a_start_error(make_config: Any) -> None:
    command = [sys.executable, "-c", "raise SystemExit(7)"]
    with pytest.raises(StartError, match=r"^worker 5 did not start: the worker is gone$"):
        await WorkerProcess.spawn(StartQuestion(make_config(), {}, 5), command)
