"""What checks say of an endpoint: how many in a row make it unhealthy or healthy, and which answers are good."""

from __future__ import annotations

from typing import Any

import hiredis
import pytest

from rproxy.config.health_sections import HealthChecksConfig
from rproxy.upstream.checks import CheckRecord, verdict


@pytest.mark.parametrize(
    ("checks", "states"),
    [
        # Checks that are good (+) or have failed (-), and after each whether the endpoint is healthy (+) or not (-).
        ("+++", "+++"),
        ("--", "++"),
        ("---", "++-"),
        ("--+--+", "++++++"),
        ("----+", "++---"),
        ("---++", "++--+"),
        ("---+-+-+", "++------"),
        ("---++--", "++--+++"),
        ("---++---", "++--+++-"),
    ],
)
def test_some_in_a_row_change_the_state(checks: str, states: str) -> None:
    policy = HealthChecksConfig.model_validate({"unhealthy_threshold": 3, "healthy_threshold": 2})
    record = CheckRecord()
    found = ""
    for check in checks:
        before = record.has_failed
        has_changed = record.on_check(check == "+", policy)
        assert has_changed == (record.has_failed is not before)
        found += "-" if record.has_failed else "+"
    assert found == states


def test_one_is_enough_where_that_is_configured() -> None:
    policy = HealthChecksConfig.model_validate({"unhealthy_threshold": 1, "healthy_threshold": 1})
    record = CheckRecord()
    assert [record.on_check(is_good, policy) for is_good in (True, False, False, True)] == [False, True, False, True]


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (b"PONG", ""),
        (b"PANG", "the answer to PING is no PONG"),
        ([b"pong", b""], "the answer to PING is no PONG"),
        (None, "the answer to PING is no PONG"),
        (hiredis.ReplyError("LOADING Redis is loading"), "LOADING Redis is loading"),
        (hiredis.ReplyError("X" * 1000), "X" * 80),
    ],
)
def test_verdicts(answer: Any, trouble: str) -> None:
    assert verdict(answer) == trouble
