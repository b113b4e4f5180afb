"""The metrics of all workers."""

from __future__ import annotations

import json
from typing import Any

from rproxy.dispatch.crew import Crew, Then
from rproxy.dispatch.own_metrics import QUESTIONS, RESET, SAMPLES, OwnMetrics, ask_metrics
from rproxy.metrics.counters import BUCKETS
from rproxy.metrics.samples import Histogram, Sample
from tests.support.dispatch import Dispatch

HISTOGRAM = Histogram([1] * (len(BUCKETS) + 1), 2.0)
OWN: list[Sample] = [
    ("rproxy_commands_total", ("main", "get", "success"), 5),
    ("rproxy_commands_total", ("other", "get", "success"), 6),
    ("rproxy_command_duration_seconds", ("main", "get"), HISTOGRAM),
]


class Other:
    """A link to one other worker, which has the same metrics and tells them as JSON."""

    def ask(self, listener: str, question: str, argument: Any, then: Then) -> None:
        then([json.loads(json.dumps(OWN))])

    def tell(self, worker_id: int, listener: str, question: str, argument: Any) -> None:
        raise AssertionError("nobody is told anything")


async def test_those_of_all_workers_are_summed(dispatch: Dispatch) -> None:
    context = dispatch.context
    answer = context.crew.answer
    context.crew = Crew("redis", 0, 2, Other())
    context.crew.answer = answer
    context.samples = lambda: OWN
    heard: list[OwnMetrics] = []
    ask_metrics(context, heard.append)
    (metrics,) = heard
    assert metrics.total("rproxy_commands_total") == 22
    assert metrics.total("rproxy_commands_total", "get", "success") == 22
    assert metrics.total("rproxy_commands_total", "set", "success") == 0
    assert metrics.histograms() == {"get": HISTOGRAM + HISTOGRAM}


async def test_they_are_counted_from_the_last_reset_on(dispatch: Dispatch) -> None:
    dispatch.context.samples = lambda: OWN
    QUESTIONS[RESET](None, dispatch.context)
    left = {value for name, _, value in QUESTIONS[SAMPLES](None, dispatch.context) if name.endswith("_total")}
    assert left == {0}
