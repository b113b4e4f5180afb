"""The whole test run, what ``make test`` does: format, lint, types, then every test in each form of the hot modules.

Every step runs even if one before it failed; the table at the end names them all. The exit status is 0 if all passed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from rproxy.demo.redis_process import find_redis_server, version_of
from rproxy.errors import StartError


@dataclass(frozen=True)
class Step:
    """A command of a run: its heading, a Python module with arguments, variables for its environment, its folder."""

    heading: str
    module: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = Path()


@dataclass(frozen=True)
class Outcome:
    """How a step ended and how long it took, in seconds."""

    step: Step
    status: int
    seconds: float

    def __str__(self) -> str:
        result = "passed" if self.status == 0 else f"FAILED ({self.status})"
        return f"{self.step.heading:<32} {result:<12} {self.seconds:7.1f} s"


CHECKS = (
    Step("format", ("ruff", "format", "--check")),
    Step("lint", ("ruff", "check")),
    Step("types", ("mypy",)),
)
PYTEST = ("pytest", "-ra", "-n", "2")
"""Tests wait more than they work: two at a time end sooner, and no more so that times still mean something."""
PURE_TESTS = Step("tests, pure form", PYTEST, {"RPROXY_PURE": "1"})
COMPILED_TESTS = Step("tests, compiled form", PYTEST)


def steps(form: str) -> tuple[Step, ...]:
    """The steps where the installed form of the hot modules is ``form``."""
    return (*CHECKS, COMPILED_TESTS, PURE_TESTS) if form == "compiled" else (*CHECKS, PURE_TESTS)


def installed_form() -> str:
    """``"compiled"`` or ``"pure"``: what an ordinary Python process gets here."""
    question = "from rproxy.form import running_form; print(running_form())"
    answer = subprocess.run(
        [sys.executable, "-c", question], env=_environment({}), capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


def run(step: Step) -> Outcome:
    """Run one step, its output shown as it comes."""
    click.secho(f"\n== {step.heading}: {' '.join(step.module)}", bold=True)
    began = time.monotonic()
    status = subprocess.call([sys.executable, "-m", *step.module], env=_environment(step.environment), cwd=step.folder)
    return Outcome(step, status, time.monotonic() - began)


def _environment(added: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "RPROXY_PURE"} | added


def summarize(outcomes: Sequence[Outcome]) -> int:
    """Show how each step ended. The status of the first that failed, or 0."""
    click.secho("\n== summary", bold=True)
    for outcome in outcomes:
        click.secho(str(outcome), fg="red" if outcome.status else "green")
    return next((outcome.status for outcome in outcomes if outcome.status), 0)


def main() -> int:
    """Run every step and sum up. The status of the first that failed, or 0."""
    try:
        server = find_redis_server()
    except StartError as error:
        click.secho(str(error), fg="red", err=True)
        return 1
    form = installed_form()
    click.echo("redis-server {}.{}: {}".format(*version_of(server), server))
    status = summarize([run(step) for step in steps(form)])
    if form == "pure":
        click.echo("No compiled modules here (no C compiler was found): only the pure form was tested.")
    return status


if __name__ == "__main__":
    sys.exit(main())
