"""Failures in a row, and the length of ejections: a record of one endpoint, with a clock that is set."""

from __future__ import annotations

from typing import Any

import pytest

from rproxy.config.health_sections import OutlierDetectionConfig
from rproxy.upstream.outlier import OutlierRecord

NOTHING = 0.0
"""No request was ever answered."""


def policy(**keys: Any) -> OutlierDetectionConfig:
    return OutlierDetectionConfig.model_validate({"interval": 10, "base_ejection_time": 30, **keys})


@pytest.mark.parametrize(
    ("events", "in_a_row"),
    [
        ([(1, 100.0, NOTHING)], 1),
        ([(1, 100.0, NOTHING), (1, 101.0, NOTHING), (1, 102.0, NOTHING)], 3),
        ([(7, 100.0, NOTHING)], 7),
        ([(1, 100.0, 99.0), (1, 101.0, 99.0)], 2),
        # A request that was begun after the first failure has been answered.
        ([(1, 100.0, 99.0), (1, 102.0, 101.0)], 1),
        ([(4, 100.0, 99.0), (2, 102.0, 101.0), (1, 103.0, 101.0)], 3),
        # The late reply to the very request that has failed, or to one before it.
        ([(1, 100.0, 99.0), (1, 102.0, 100.0)], 2),
        ([(1, 100.0, 99.0), (1, 102.0, 99.9)], 2),
        # A failure that is heard of late does not make what was answered meanwhile a success.
        ([(1, 100.0, NOTHING), (1, 95.0, NOTHING), (1, 101.0, 97.0)], 3),
    ],
)
def test_failures_are_in_a_row_unless_a_later_request_is_answered(
    events: list[tuple[int, float, float]], in_a_row: int
) -> None:
    record = OutlierRecord()
    for count, at, answered in events:
        record.on_failures(count, at, answered)
    assert record.failures == in_a_row


def test_an_ejection_begins_the_count_anew() -> None:
    record = OutlierRecord()
    record.on_failures(5, 100.0, NOTHING)
    record.eject(100.0, policy())
    assert (record.failures, record.ejected_until) == (0, 130.0)
    record.release(130.0)
    assert record.ejected_until is None
    record.on_failures(1, 131.0, NOTHING)
    assert record.failures == 1


@pytest.mark.parametrize(
    ("pauses", "lengths"),
    [
        # Seconds between the end of an ejection and the next one; the interval is 10.
        ([], [30]),
        ([0], [30, 60]),
        ([1, 2, 3], [30, 60, 90, 120]),
        ([9.9], [30, 60]),
        ([10], [30, 30]),
        ([1, 10, 1], [30, 60, 60, 90]),
        ([1, 1, 20], [30, 60, 90, 60]),
        ([1, 1, 29.9], [30, 60, 90, 60]),
        ([1, 1, 1000], [30, 60, 90, 30]),
    ],
)
def test_each_ejection_in_a_row_is_longer_and_calm_makes_them_shorter(
    pauses: list[float], lengths: list[float]
) -> None:
    record = OutlierRecord()
    now = 100.0
    found = [record.eject(now, policy())]
    for pause in pauses:
        now += found[-1]
        record.release(now)
        now += pause
        found.append(record.eject(now, policy()))
    assert found == lengths


@pytest.mark.parametrize(
    ("keys", "lengths"),
    [
        ({"max_ejection_time": 70}, [30, 60, 70, 70]),
        ({"max_ejection_time": 5}, [30, 30, 30, 30]),  # the base is the least that the most can be
        ({"base_ejection_time": 0.5, "max_ejection_time": 1}, [0.5, 1, 1, 1]),
    ],
)
def test_an_ejection_has_a_longest_time(keys: dict[str, Any], lengths: list[float]) -> None:
    record = OutlierRecord()
    now = 100.0
    found = []
    for _ in lengths:
        found.append(record.eject(now, policy(**keys)))
        now += found[-1]
        record.release(now)
    assert found == lengths
