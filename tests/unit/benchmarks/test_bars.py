"""What is measured against which goal."""

import pytest

from benchmarks.bars import BARS, verdict
from benchmarks.cases import CASES, IDLE_MEMORY, WORKER_SPREAD
from benchmarks.comparisons import COMPARISONS
from benchmarks.load import LoadReport
from benchmarks.results import CaseResult, Sample, Spread
from tests.unit.benchmarks.samples import results


def test_every_source_is_something_that_is_measured() -> None:
    measured = {*(case.name for case in CASES), *(row.name for row in COMPARISONS), IDLE_MEMORY, WORKER_SPREAD}
    assert {bar.source for bar in BARS} <= measured
    assert {row.name for row in COMPARISONS} <= {bar.source for bar in BARS}


@pytest.mark.parametrize(
    ("measured", "said"),
    [(None, "not measured"), (Spread(1.0, 0.5, 9.0), "met"), (Spread(1.01, 0.5, 1.1), "missed")],
)
def test_the_median_decides(measured: Spread | None, said: str) -> None:
    assert verdict(measured, 1.0) == said


def seen(p50_ms: float, p99_ms: float) -> Sample:
    return Sample(LoadReport(1000, 1000.0, p50_ms, p99_ms), 1.0, 1.0)


def test_latencies_are_compared_within_each_round() -> None:
    run = results()
    run.cases = [
        CaseResult("one-client", "", {"rproxy": [seen(1, 9), seen(4, 9)], "envoy": [seen(2, 1), seen(4, 1)]}),
        CaseResult("get-p1", "", {"rproxy": [seen(9, 3)], "envoy": [seen(1, 2)]}),
    ]
    found = {bar.title: bar.measure(run) for bar in BARS}
    assert found["median latency of one client ÷ Envoy's"] == Spread(0.75, 0.5, 1.0)
    assert found["median latency of one client ÷ twemproxy's"] is None
    assert found["p99 of 50 clients, GET ÷ Envoy's"] == Spread(1.5, 1.5, 1.5)
    assert found["p99 of 50 clients, SET ÷ Envoy's"] is None


def test_a_bar_that_was_not_tried_is_not_in_the_run() -> None:
    run = results()
    run.comparisons = []
    assert {bar.source for bar in BARS if bar.is_in(run)} == {IDLE_MEMORY, WORKER_SPREAD}
