"""What a run found: the form of the files in ``results/``, and the figures derived from it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Self

from pydantic import TypeAdapter, ValidationError

from benchmarks.load import LoadReport
from rproxy.errors import RproxyError

FOLDER = Path(__file__).parent / "results"
FULL = FOLDER / "full.json"
"""The latest run of every case, which the documents are made from."""


class ResultsError(RproxyError):
    """A file of results cannot be read; one line."""


@dataclass(frozen=True)
class Sample:
    """One round of one peer: the load's report, and the seconds of processor time that the proxy spent on it."""

    load: LoadReport
    user: float
    system: float

    @property
    def user_us(self) -> float:
        """Microseconds in user code per command."""
        return self.user / self.load.commands * 1e6

    @property
    def system_us(self) -> float:
        """Microseconds in the kernel per command."""
        return self.system / self.load.commands * 1e6

    @property
    def processor_us(self) -> float:
        """Microseconds of processor time per command."""
        return self.user_us + self.system_us


@dataclass(frozen=True)
class MemorySample:
    """Resident bytes of a fresh process with one client, and how much each idle client added."""

    at_rest: int
    per_client: float


@dataclass
class CaseResult:
    """The rounds of one case: samples by peer, the n-th of each peer from the n-th round; or why a peer has none."""

    name: str
    load: str
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def spread(self, peer: str, figure: Callable[[Sample], float]) -> Spread | None:
        """A figure over the rounds of a peer; ``None`` if it has no samples."""
        samples = self.samples.get(peer)
        return Spread.of([figure(sample) for sample in samples]) if samples else None

    def ratio(
        self, peer: str, reference: str, figure: Callable[[Sample], float] = lambda sample: sample.processor_us
    ) -> Spread | None:
        """A figure of ``peer`` to the ``reference``'s in the same round, over the rounds."""
        pairs = zip(self.samples.get(peer, ()), self.samples.get(reference, ()), strict=False)
        ratios = [figure(one) / figure(other) for one, other in pairs if figure(other)]
        return Spread.of(ratios) if ratios else None


@dataclass(frozen=True)
class Spread:
    """The median, least and greatest of some figures."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Self:
        """Of one figure or more."""
        return cls(median(figures), min(figures), max(figures))

    def scaled(self, factor: float) -> Spread:
        """Each figure times ``factor``."""
        return Spread(self.median * factor, self.least * factor, self.greatest * factor)


@dataclass(frozen=True)
class Machine:
    """Where a run took place."""

    processor: str
    cores: int
    system: str
    python: str
    redis_server: str
    redis_benchmark: str
    revision: str
    """The commit measured, with ``-dirty`` where files were changed; empty outside a repository."""


@dataclass
class Results:
    """A whole run. ``noise``, ``cases`` and ``comparisons`` in the order of their tables; ``memory`` by peer."""

    taken: str
    """Date and time, UTC, ISO 8601."""
    rounds: int
    seconds: float
    """About how long each round of each peer lasted."""
    machine: Machine
    versions: dict[str, str]
    missing: dict[str, str]
    """Peers that took no part, and why."""
    noise: list[CaseResult] = field(default_factory=list)
    cases: list[CaseResult] = field(default_factory=list)
    idle_clients: int = 0
    memory: dict[str, list[MemorySample]] = field(default_factory=dict)
    comparisons: list[CaseResult] = field(default_factory=list)
    spread_clients: int = 0
    worker_spread: list[float] = field(default_factory=list)
    """Of each round: the clients of the fuller worker, divided by its fair share."""
    micro: dict[str, dict[str, float]] = field(default_factory=dict)
    """Nanoseconds for each thing done, by form and micro benchmark."""

    def found(self, name: str) -> CaseResult | None:
        """The rounds of the case or comparison ``name``."""
        return next((result for result in (*self.cases, *self.comparisons) if result.name == name), None)

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")


def load_results(path: Path) -> Results:
    """Read what ``save`` wrote. Raises ``ResultsError``."""
    try:
        return TypeAdapter(Results).validate_json(path.read_bytes())
    except OSError as error:
        raise ResultsError(f"{path}: {error.strerror}; make bench writes it") from None
    except ValidationError as error:
        raise ResultsError(f"{path}: not the results of a run: {error.errors()[0]['msg']}") from None
