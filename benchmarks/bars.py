"""The bars beside the ratios of processor time to Envoy: latency, flatness, workers, statistics, memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

from benchmarks.cases import IDLE_MEMORY, WORKER_SPREAD
from benchmarks.comparisons import CHANGED, COMPARISONS, PLAIN, Comparison
from benchmarks.peers import RPROXY
from benchmarks.results import MemorySample, Results, Spread

Measure = Callable[[Results], Spread | None]


@dataclass(frozen=True)
class Bar:
    """A figure that is to stay at or under ``goal``; ``source`` is the case, or comparison, that it comes from."""

    title: str
    goal: float
    source: str
    measure: Measure

    def is_in(self, results: Results) -> bool:
        """Whether the run tried to measure it."""
        if self.source == IDLE_MEMORY:
            return results.idle_clients > 0
        if self.source == WORKER_SPREAD:
            return results.spread_clients > 0
        return results.found(self.source) is not None


def verdict(measured: Spread | None, goal: float) -> str:
    """Whether a goal was met, by the median."""
    if measured is None:
        return "not measured"
    return "met" if measured.median <= goal else "missed"


def _latency(case: str, figure: str, reference: str) -> Measure:
    def measure(results: Results) -> Spread | None:
        found = results.found(case)
        return found.ratio(RPROXY.name, reference, attrgetter(f"load.{figure}")) if found else None

    return measure


def _memory(figure: Callable[[MemorySample], float]) -> Measure:
    def measure(results: Results) -> Spread | None:
        samples = results.memory.get(RPROXY.name)
        return Spread.of([figure(sample) for sample in samples]) if samples else None

    return measure


def _worker_spread(results: Results) -> Spread | None:
    return Spread.of(results.worker_spread) if results.worker_spread else None


def _bar_of(comparison: Comparison) -> Bar:
    def measure(results: Results) -> Spread | None:
        found = results.found(comparison.name)
        ratio = found.ratio(CHANGED, PLAIN) if found else None
        return ratio.scaled(comparison.per_key) if ratio else None

    return Bar(comparison.title, comparison.goal, comparison.name, measure)


BARS = (
    Bar("median latency of one client ÷ Envoy's", 1.0, "one-client", _latency("one-client", "p50_ms", "envoy")),
    Bar("median latency of one client ÷ twemproxy's", 1.0, "one-client", _latency("one-client", "p50_ms", "twemproxy")),
    Bar("p99 of 50 clients, GET ÷ Envoy's", 1.0, "get-p1", _latency("get-p1", "p99_ms", "envoy")),
    Bar("p99 of 50 clients, SET ÷ Envoy's", 1.0, "set-p1", _latency("set-p1", "p99_ms", "envoy")),
    *(_bar_of(comparison) for comparison in COMPARISONS),
    Bar("100 clients, two workers: the fuller's ÷ its fair share", 1.1, WORKER_SPREAD, _worker_spread),
    Bar("KiB of an idle client", 2.5, IDLE_MEMORY, _memory(lambda sample: sample.per_client / 1024)),
    Bar("MiB of a worker at rest", 50, IDLE_MEMORY, _memory(lambda sample: sample.at_rest / 2**20)),
)
