"""What a load reports, and which load drives a case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from benchmarks.cases import Case


@dataclass(frozen=True)
class LoadReport:
    """One run of a load: ``throughput`` in commands per second, latencies in milliseconds as the clients saw them."""

    commands: int
    throughput: float
    p50_ms: float
    p99_ms: float


class LoadError(Exception):
    """The load could not be run to its end; one line."""


class Load(Protocol):
    """Sends about ``commands`` commands of a case to a port of loopback and waits for every reply."""

    name: str

    def run(self, case: Case, port: int, commands: int) -> LoadReport:
        """Run to the end. Raises ``LoadError`` at the first error reply, or when it takes too long."""
        ...

    def can_run(self, case: Case) -> bool:
        """Whether it is able to send what the case asks for."""
        ...


def load_of(case: Case, loads: tuple[Load, ...]) -> Load:
    """The first load that can run the case."""
    return next(load for load in loads if load.can_run(case))
