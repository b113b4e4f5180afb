"""Samples as text for Prometheus, written by prometheus_client."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as MetricFamily
from prometheus_client.registry import Collector

from rproxy.metrics.counters import BUCKETS
from rproxy.metrics.samples import Sample, Value
from rproxy.metrics.table import METRICS, Kind, Metric

_BOUNDS = [*map(str, BUCKETS), "+Inf"]
_FAMILIES: dict[Kind, type[CounterMetricFamily | GaugeMetricFamily]] = {
    Kind.COUNTER: CounterMetricFamily,
    Kind.GAUGE: GaugeMetricFamily,
}


def exposition(samples: Iterable[Sample], accept: str = "") -> tuple[bytes, str]:
    """The text of merged samples and its content type: the best that the ``Accept`` header ``accept`` takes."""
    registry = CollectorRegistry()
    registry.register(_Samples(samples))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Samples(Collector):
    """What prometheus_client asks for families: one per metric that has samples."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._values: dict[str, list[tuple[tuple[str, ...], Value]]] = defaultdict(list)
        for name, labels, value in samples:
            self._values[name].append((labels, value))

    def describe(self) -> Iterator[MetricFamily]:
        """Nothing: the registry need not check names, which are unique in the table."""
        return iter(())

    def collect(self) -> Iterator[MetricFamily]:
        """The families in the order of the table."""
        return (_family(metric, self._values[metric.name]) for metric in METRICS if metric.name in self._values)


def _family(metric: Metric, values: list[tuple[tuple[str, ...], Any]]) -> MetricFamily:
    """The family of one metric; its kind says whether the values are numbers or histograms."""
    if metric.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for labels, value in values:
            buckets = list(zip(_BOUNDS, accumulate(value.counts), strict=True))
            histogram.add_metric(labels, buckets, value.seconds)
        return histogram
    family = _FAMILIES[metric.kind](metric.name, metric.help, labels=metric.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family
