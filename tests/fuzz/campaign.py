"""All fuzzing, what ``make fuzz`` does: guided by coverage, then sanitized, then the unit tests sanitized.

``FUZZ_SECONDS`` (120) is the time of the fuzzing itself, ``FUZZ_SEED`` repeats a run. The exit status is 0 if nothing
was found.
"""

from __future__ import annotations

import importlib.util
import os
import random
import subprocess
import sys

import click

from tests.fuzz import sanitized
from tests.fuzz.targets import FOUND, TARGETS
from tests.support.suite import Step, run, summarize

ENGINE = "atheris"
UNIT_TESTS = ("resp", "transport", "upstream", "downstream", "dispatch")


def guided_steps(seconds: int, seed: int) -> list[Step]:
    """A step for each target, the time shared out."""
    share = max(1, seconds // len(TARGETS))
    return [Step(f"guided: {name}", ("tests.fuzz.guided", name, str(share), str(seed))) for name in TARGETS]


def sanitized_steps(seconds: int, seed: int) -> list[Step]:
    """Mutations, and the unit tests of all that is compiled."""
    folder, variables = sanitized.FOLDER, sanitized.environment()
    kept = str(FOUND.absolute())
    tests = [f"tests/unit/{package}" for package in UNIT_TESTS]
    return [
        Step("sanitized: mutations", ("tests.fuzz.mutations", str(seconds), str(seed), kept), variables, folder),
        Step("sanitized: unit tests", ("pytest", "-x", "-s", "tests/fuzz", *tests), variables, folder),
    ]


def main() -> int:
    """Run every step and sum up. The status of the first that failed, or 0."""
    seconds = int(os.environ.get("FUZZ_SECONDS", "120"))
    seed = int(os.environ.get("FUZZ_SEED", str(random.randrange(1 << 31))))
    click.echo(f"FUZZ_SECONDS={seconds} FUZZ_SEED={seed}")
    if (lacking := sanitized.missing()) is not None:
        click.secho(lacking, fg="red", err=True)
        return 1
    click.secho("\n== sanitized build (minutes the first time)", bold=True)
    try:
        sanitized.build()
    except subprocess.CalledProcessError:
        click.secho(f"the sanitized build failed: see {sanitized.FOLDER / 'build.log'}", fg="red", err=True)
        return 1
    steps = []
    if importlib.util.find_spec(ENGINE) is not None:
        steps += guided_steps(seconds // 2, seed)
    else:
        click.secho(f"{ENGINE} has no wheel for this Python: without fuzzing guided by coverage", fg="yellow")
    steps += sanitized_steps(seconds - seconds // 2 if steps else seconds, seed)
    outcomes = [run(step) for step in steps]
    return summarize(outcomes)


if __name__ == "__main__":
    sys.exit(main())
