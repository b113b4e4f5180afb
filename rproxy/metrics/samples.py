"""Samples: the values of metrics as plain data, which workers send to their supervisor as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import add, sub
from typing import Any, NamedTuple

from rproxy.metrics.table import METRIC_BY_NAME, METRICS, Kind, Merge


class Histogram(NamedTuple):
    """Observations per bucket of ``metrics.counters.BUCKETS`` (not cumulative, the slower ones last), and their sum."""

    counts: Sequence[int]
    seconds: float

    def __add__(self, other: object) -> Histogram:
        """Both together."""
        if not isinstance(other, Histogram):
            return NotImplemented
        return Histogram(list(map(add, self.counts, other.counts)), self.seconds + other.seconds)


Value = float | Histogram

Sample = tuple[str, tuple[str, ...], Value]
"""The name of a metric, its label values in the order of its row in the table, and its value."""

_MERGE: dict[Merge, Callable[[Any, Any], Value]] = {Merge.SUM: add, Merge.MAX: max, Merge.MIN: min}
_ORDER = {metric.name: index for index, metric in enumerate(METRICS)}


def merge(parts: Iterable[Iterable[Sample]]) -> list[Sample]:
    """One sample per name and labels, in the order of the table, merged as its rows say.

    Samples of one part are merged too. Raises ``ValueError`` on a name that is not in the table and on wrong labels.
    """
    merged: dict[tuple[str, tuple[str, ...]], Value] = {}
    for part in parts:
        for name, labels, value in part:
            rule = _MERGE[_merge_rule(name, labels)]
            key = (name, labels)
            merged[key] = rule(merged[key], value) if key in merged else value
    ordered = sorted(merged, key=lambda key: (_ORDER[key[0]], key[1]))
    return [(name, labels, merged[name, labels]) for name, labels in ordered]


def lasting(samples: Iterable[Sample]) -> list[Sample]:
    """Those that hold beyond the end of their process: counts, which a sum may not lose, and no gauges."""
    return [sample for sample in samples if METRIC_BY_NAME[sample[0]].kind is not Kind.GAUGE]


def since(samples: Iterable[Sample], before: Iterable[Sample]) -> list[Sample]:
    """What was counted after ``before``, of merged samples; what is no count stays as it is."""
    counted = {(name, labels): value for name, labels, value in lasting(before)}
    return [(name, labels, _less(value, counted.get((name, labels)))) for name, labels, value in samples]


def shortfall(samples: Iterable[Sample], before: Iterable[Sample]) -> list[Sample]:
    """What was counted in ``before`` and is not in ``samples``, merged as they are: by what has gone meanwhile."""
    return [sample for sample in since(before, samples) if _has_counted(sample[2])]


def _has_counted(value: Value) -> bool:
    return any(value.counts) if isinstance(value, Histogram) else value > 0


def _less(value: Value, before: Value | None) -> Value:
    if isinstance(value, Histogram) and isinstance(before, Histogram):
        return Histogram(list(map(sub, value.counts, before.counts)), value.seconds - before.seconds)
    if isinstance(value, Histogram) or before is None or isinstance(before, Histogram):
        return value
    return value - before


def from_json(data: Iterable[Any]) -> list[Sample]:
    """The samples that were written as JSON: a tuple is an array there."""
    return [
        (name, tuple(labels), Histogram(*value) if isinstance(value, list) else value) for name, labels, value in data
    ]


def _merge_rule(name: str, labels: tuple[str, ...]) -> Merge:
    metric = METRIC_BY_NAME.get(name)
    if metric is None:
        raise ValueError(f"no metric is named {name}")
    if len(labels) != len(metric.labels):
        raise ValueError(f"{name} has the labels {metric.labels}, not the values {labels}")
    return metric.merge
