"""What several nodes report, as the report of one."""

from __future__ import annotations

import pytest

from rproxy.resp.encode import Text
from rproxy.routing.node_reports import (
    function_stats,
    latency_history,
    latency_latest,
    memory_stats,
    texts,
)

ONE = {
    b"total.allocated": 300,
    b"startup.allocated": 100,
    b"peak.allocated": 400,
    b"dataset.bytes": 50,
    b"dataset.percentage": 25.0,
    b"peak.percentage": 75.0,
    b"keys.count": 4,
    b"keys.bytes-per-key": 50,
    b"allocator.resident": 500,
    b"rss-overhead.bytes": 250,
    b"rss-overhead.ratio": 1.5,
    b"db.0": {b"overhead.hashtable.main": 7},
    b"unheard-of": 1.0,
}


def test_sizes_are_summed_and_ratios_are_those_of_the_sums() -> None:
    other = ONE | {b"dataset.bytes": 150, b"keys.count": 0, b"unheard-of": 2.0}
    assert memory_stats([ONE, other]) == {
        b"total.allocated": 600,
        b"startup.allocated": 200,
        b"peak.allocated": 800,
        b"dataset.bytes": 200,
        b"dataset.percentage": 50.0,
        b"peak.percentage": 75.0,
        b"keys.count": 4,
        b"keys.bytes-per-key": 100,
        b"allocator.resident": 1000,
        b"rss-overhead.bytes": 500,
        b"rss-overhead.ratio": 1.5,
        b"db.0": {b"overhead.hashtable.main": 14},
        b"unheard-of": 1.5,
    }


def test_the_flat_form_of_resp2_is_understood() -> None:
    flat = [b"total.allocated", 3, b"fragmentation", b"2.5", b"fragmentation.bytes", 3, b"db.0", [b"a", 1]]
    assert memory_stats([flat, flat]) == {
        b"total.allocated": 6,
        b"fragmentation": 2.0,
        b"fragmentation.bytes": 6,
        b"db.0": {b"a": 2},
    }


def test_nothing_allocated_divides_by_nothing() -> None:
    assert memory_stats([{b"fragmentation": 1.0, b"keys.bytes-per-key": 0, b"peak.percentage": 1.0}]) == {
        b"fragmentation": 0.0,
        b"keys.bytes-per-key": 0,
        b"peak.percentage": 0.0,
    }


def test_an_event_has_its_latest_time_and_its_highest_latency() -> None:
    reports = [[[b"fork", 10, 5, 9]], [[b"fork", 20, 6, 7], [b"command", 1, 2, 3]], [[b"fork", 15, 1, 8]]]
    assert latency_latest(reports) == [[b"fork", 20, 6, 9], [b"command", 1, 2, 3]]


def test_samples_are_in_the_order_of_time_and_not_more_than_redis_keeps() -> None:
    assert latency_history([[[1, 5], [9, 5]], [[4, 2]]]) == [[1, 5], [4, 2], [9, 5]]
    many = latency_history([[[time, 1] for time in range(100)]] * 2)
    assert isinstance(many, list)
    assert len(many) == 160
    assert many[-1] == [99, 1]


def test_texts_follow_each_other_unless_they_are_alike() -> None:
    assert texts([b"fine", b"fine"]) == Text(b"fine")
    assert texts([b"fine", b"bad", b"fine"]) == Text(b"-- node 1 of 3 --\nfine\n-- node 2 of 3 --\nbad")


@pytest.mark.parametrize("running", [0, 1])
def test_the_stats_of_functions_are_those_where_one_runs(running: int) -> None:
    idle = [b"running_script", None, b"engines", []]
    busy = [b"running_script", [b"name", b"f"], b"engines", []]
    reports = [idle, idle]
    reports[running] = busy
    assert function_stats(reports) is busy
    assert function_stats([idle, list(idle)]) is idle
