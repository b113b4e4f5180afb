"""What the test run consists of, and how it ends."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import suite


def test_with_compiled_modules_both_forms_are_tested() -> None:
    pytest_steps = [step.environment for step in suite.steps("compiled") if step.module[0] == "pytest"]
    assert pytest_steps == [{}, {"RPROXY_PURE": "1"}]


def test_without_them_only_the_pure_form_is() -> None:
    assert [step for step in suite.steps("pure") if step.module[0] == "pytest"] == [suite.PURE_TESTS]


def run_with(monkeypatch: pytest.MonkeyPatch, statuses: dict[str, int], form: str = "compiled") -> int:
    def fake_run(step: suite.Step) -> suite.Outcome:
        return suite.Outcome(step, statuses.get(step.heading, 0), 1.5)

    monkeypatch.setattr(suite, "run", fake_run)
    monkeypatch.setattr(suite, "installed_form", lambda: form)
    return suite.main()


def test_every_step_is_named_and_the_first_failure_is_the_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(monkeypatch, {"lint": 3, "tests, pure form": 1}) == 3
    summary = capsys.readouterr().out.partition("== summary")[2].splitlines()[1:]
    assert [line.split("  ")[0] for line in summary] == [step.heading for step in suite.steps("compiled")]
    assert ["FAILED" in line for line in summary] == [False, True, False, False, True]


def test_a_run_in_which_all_passed_is_0(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_with(monkeypatch, {}) == 0


def test_a_run_of_one_form_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(monkeypatch, {}, form="pure") == 0
    assert "only the pure form was tested" in capsys.readouterr().out


def test_the_environment_of_a_step_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    monkeypatch.setenv("RPROXY_PURE", "1")

    def fake_call(_command: list[str], env: dict[str, Any], cwd: Path) -> int:
        seen.append(env)
        return 0

    monkeypatch.setattr(subprocess, "call", fake_call)
    suite.run(suite.COMPILED_TESTS)
    suite.run(suite.PURE_TESTS)
    assert [environment.get("RPROXY_PURE") for environment in seen] == [None, "1"]
