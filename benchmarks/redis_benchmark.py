"""The load of redis-benchmark, the tool that comes with Redis."""

from __future__ import annotations

import re
import shutil
import subprocess

from benchmarks.cases import Case
from benchmarks.load import LoadError, LoadReport

_TIMEOUT = 300
_COLUMNS = ("rps", "avg", "min", "p50", "p95", "p99", "max")


class RedisBenchmark:
    """Runs ``redis-benchmark``, which sends one command over and over."""

    name = "redis-benchmark"

    def __init__(self) -> None:
        self._program = shutil.which("redis-benchmark")

    def can_run(self, case: Case) -> bool:
        """Whether it is installed, and the case is of one command."""
        return self._program is not None and len(case.mix) == 1

    def version(self) -> str | None:
        """Its version; ``None`` where it is not installed."""
        if self._program is None:
            return None
        answer = subprocess.run([self._program, "--version"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"\d+\.\d+\.\d+", answer)
        return found[0] if found else "unknown"

    def run(self, case: Case, port: int, commands: int) -> LoadReport:
        """One run. Raises ``LoadError``."""
        command = case.mix[0]
        arguments = [
            *(self._program or self.name, "-h", "127.0.0.1", "-p", str(port), "--csv"),
            *("-c", str(case.clients), "-P", str(case.pipeline), "-n", str(commands)),
            *("-r", str(command.dataset.keys)),
        ]
        try:
            answer = subprocess.run(
                [*arguments, *command.words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LoadError(f"redis-benchmark was not done in {_TIMEOUT} s") from None
        if answer.returncode:
            raise LoadError(f"redis-benchmark: {why_failed(answer.stdout, answer.stderr) or answer.returncode}")
        return parse(answer.stdout, commands)


def why_failed(output: str, errors: str) -> str:
    """The last line that tells of an error: replies are told on one stream, broken connections on the other.

    It warns of any proxy, since none answers CONFIG as a server does.
    """
    lines = [line for line in (*errors.splitlines(), *output.splitlines()) if not line.startswith(("WARNING", '"'))]
    return _last_line("\n".join(lines))


def parse(output: str, commands: int) -> LoadReport:
    """The report in what ``--csv`` printed: a heading, then a row. Raises ``LoadError`` where there is none."""
    # Not by the csv module: the row begins with the whole command, of any size and with quotes that are not doubled.
    figures = [figure.strip('"') for figure in _last_line(output).rsplit(",", len(_COLUMNS))[1:]]
    try:
        values = dict(zip(_COLUMNS, map(float, figures), strict=True))
    except ValueError:
        raise LoadError(f"redis-benchmark printed no result: {_last_line(output)}") from None
    return LoadReport(commands, values["rps"], values["p50"], values["p99"])


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
