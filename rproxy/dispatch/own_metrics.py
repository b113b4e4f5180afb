"""The metrics of all workers, for what is answered from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rproxy.dispatch.context import Context
from rproxy.metrics.samples import Histogram, Sample, Value, from_json, lasting, merge, since

SAMPLES = "samples since reset"
"""The question for a worker's metrics, counted from the last CONFIG RESETSTAT on."""
RESET = "reset samples"


class OwnMetrics:
    """The merged metrics of rproxy, by name and labels."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = list(samples)

    def total(self, name: str, *labels: str) -> float:
        """The sum of all samples called ``name`` whose last labels are ``labels``."""
        return sum(value for _, value in self.labelled(name, *labels) if isinstance(value, int | float))

    def labelled(self, name: str, *labels: str) -> Iterator[tuple[tuple[str, ...], Value]]:
        """Labels and value of each such sample."""
        for found, own, value in self._samples:
            if found == name and own[len(own) - len(labels) :] == labels:
                yield own, value

    def histograms(self) -> dict[str, Histogram]:
        """The durations of every forwarded command on all clusters."""
        histograms: dict[str, Histogram] = {}
        for (_, name), value in self.labelled("rproxy_command_duration_seconds"):
            if isinstance(value, Histogram) and any(value.counts):
                histograms[name] = histograms[name] + value if name in histograms else value
        return histograms


def ask_metrics(context: Context, then: Callable[[OwnMetrics], None]) -> None:
    """Call ``then`` with the merged metrics of the workers that answer in time."""
    context.crew.ask(SAMPLES, None, lambda answers: then(OwnMetrics(merge(map(from_json, answers)))))


def samples_since_reset(_: Any, context: Context) -> list[Sample]:
    """This worker's answer to ``SAMPLES``."""
    return since(merge([context.samples()]), context.counted_before)


def reset_samples(_: Any, context: Context) -> None:
    """Count from here on."""
    context.counted_before = lasting(merge([context.samples()]))


QUESTIONS: dict[str, Callable[[Any, Context], Any]] = {SAMPLES: samples_since_reset, RESET: reset_samples}
