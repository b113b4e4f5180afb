import json

import pytest

from rproxy.metrics.samples import Histogram, Sample, from_json, lasting, merge
from rproxy.metrics.table import METRICS, Kind

FAST = Histogram([2, 1, 0], 0.5)
SLOW = Histogram([0, 1, 4], 2.5)


def test_values_are_merged_as_the_table_says() -> None:
    first: list[Sample] = [
        ("rproxy_upstream_retries_total", ("main",), 3),
        ("rproxy_topology_age_seconds", ("main",), 1.5),
        ("rproxy_topology_covered_slots", ("main",), 16384),
        ("rproxy_command_duration_seconds", ("main", "get"), FAST),
    ]
    second: list[Sample] = [
        ("rproxy_upstream_retries_total", ("main",), 4),
        ("rproxy_topology_age_seconds", ("main",), 0.5),
        ("rproxy_topology_covered_slots", ("main",), 10000),
        ("rproxy_command_duration_seconds", ("main", "get"), SLOW),
    ]
    assert {name: value for name, _, value in merge([first, second])} == {
        "rproxy_upstream_retries_total": 7,
        "rproxy_topology_age_seconds": 1.5,
        "rproxy_topology_covered_slots": 10000,
        "rproxy_command_duration_seconds": Histogram([2, 2, 4], 3.0),
    }


def test_only_equal_labels_are_merged_also_within_one_part() -> None:
    part: list[Sample] = [
        ("rproxy_mirror_sent_total", ("a",), 1),
        ("rproxy_mirror_sent_total", ("b",), 10),
        ("rproxy_mirror_sent_total", ("a",), 100),
    ]
    assert merge([part]) == [("rproxy_mirror_sent_total", ("a",), 101), ("rproxy_mirror_sent_total", ("b",), 10)]


def test_merging_changes_no_part() -> None:
    part: list[Sample] = [("rproxy_command_duration_seconds", ("main", "get"), FAST)]
    merge([part, part])
    assert part == [("rproxy_command_duration_seconds", ("main", "get"), Histogram([2, 1, 0], 0.5))]


def test_the_order_is_that_of_the_table() -> None:
    samples: list[Sample] = [
        (metric.name, ("x",) * len(metric.labels), FAST if metric.kind is Kind.HISTOGRAM else 1) for metric in METRICS
    ]
    assert [name for name, _, _ in merge([reversed(samples)])] == [metric.name for metric in METRICS]


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no metric is named rproxy_typo_total"):
        merge([[("rproxy_typo_total", (), 1)]])


def test_wrong_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="rproxy_mirror_sent_total has the labels"):
        merge([[("rproxy_mirror_sent_total", (), 1)]])


def test_counts_last_and_gauges_do_not() -> None:
    counts: list[Sample] = [
        ("rproxy_mirror_sent_total", ("a",), 1),
        ("rproxy_command_duration_seconds", ("a", "get"), FAST),
    ]
    assert lasting([*counts, ("rproxy_downstream_connections_active", ("redis",), 5)]) == counts


def test_samples_survive_json() -> None:
    samples: list[Sample] = [
        ("rproxy_mirror_sent_total", ("a",), 1),
        ("rproxy_topology_age_seconds", ("a",), 0.25),
        ("rproxy_command_duration_seconds", ("a", "get"), FAST),
    ]
    assert from_json(json.loads(json.dumps(samples))) == samples
