from typing import Any

import pytest

from rproxy.dispatch.own_info import OWN
from rproxy.dispatch.own_metrics import OwnMetrics
from rproxy.metrics.counters import BUCKETS
from rproxy.metrics.samples import Histogram, Sample

NOBODY: Any = None


def counts(**by_index: int) -> list[int]:
    """So many observations in the buckets that are named: ``b0`` is the first."""
    return [by_index.get(f"b{index}", 0) for index in range(len(BUCKETS) + 1)]


def durations(cluster: str, command: str, observed: list[int], seconds: float) -> Sample:
    return "rproxy_command_duration_seconds", (cluster, command), Histogram(observed, seconds)


def section(name: str, *samples: Sample) -> dict[str, str]:
    return OWN[name](NOBODY, NOBODY, OwnMetrics(samples))


def test_commands_are_counted_over_all_clusters_and_those_answered_here_beside() -> None:
    found = section(
        "commandstats",
        durations("main", "get", counts(b0=3), 0.0003),
        durations("other", "get", counts(b16=1), 6.0),
        durations("main", "never", counts(), 0.0),
        ("rproxy_commands_total", ("main", "get", "error"), 1),
        ("rproxy_commands_total", ("other", "get", "error"), 2),
        ("rproxy_local_commands_total", ("ping",), 9),
    )
    assert found == {
        "cmdstat_get": "calls=4,usec=6000300,usec_per_call=1500075.00,rejected_calls=0,failed_calls=3",
        "cmdstat_ping": "calls=9,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0",
    }


@pytest.mark.parametrize(
    ("observed", "shown"),
    [
        (counts(b0=1), "p50=50.000,p99=50.000,p99.9=50.000"),
        (counts(b0=50, b1=49, b2=1), "p50=50.000,p99=100.000,p99.9=250.000"),
        (counts(b15=1, b16=1), "p50=5000000.000,p99=10000000.000,p99.9=10000000.000"),
        (counts(b16=7), "p50=10000000.000,p99=10000000.000,p99.9=10000000.000"),
    ],
)
def test_a_percentile_is_the_bound_of_its_bucket(observed: list[int], shown: str) -> None:
    assert section("latencystats", durations("main", "get", observed, 1.0)) == {"latency_percentiles_usec_get": shown}


def test_processor_time_is_that_of_all_processes() -> None:
    found = section("cpu", ("rproxy_cpu_seconds_total", (), 1e6))
    assert float(found["used_cpu_sys"]) + float(found["used_cpu_user"]) == pytest.approx(1e6)
