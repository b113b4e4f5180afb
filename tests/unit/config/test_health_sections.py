"""The sections about the health of endpoints: their defaults, and what they refuse."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from rproxy.config.health_sections import HealthChecksConfig, OutlierDetectionConfig
from rproxy.config.section import Section


def test_the_defaults_of_outlier_detection() -> None:
    plain = OutlierDetectionConfig()
    assert (plain.consecutive_local_origin_failure, plain.max_ejection_percent) == (5, 50)
    assert (plain.interval, plain.base_ejection_time, plain.max_ejection_time) == (10.0, 30.0, 300.0)


def test_the_defaults_of_health_checks() -> None:
    plain = HealthChecksConfig()
    assert (plain.timeout, plain.interval) == (1.0, 5.0)
    assert (plain.unhealthy_threshold, plain.healthy_threshold) == (3, 2)


@pytest.mark.parametrize(("section", "interval"), [(OutlierDetectionConfig, "10s"), (HealthChecksConfig, "5s")])
def test_times_are_written_with_their_unit_and_read_back_alike(section: type[Section], interval: str) -> None:
    written = section().model_dump(mode="json")
    assert written["interval"] == interval
    assert section.model_validate(written) == section()


@pytest.mark.parametrize("share", [0, 100])
def test_none_or_all_of_the_endpoints_may_be_ejected(share: int) -> None:
    assert OutlierDetectionConfig.model_validate({"max_ejection_percent": share}).max_ejection_percent == share


def test_the_longest_ejection_may_be_shorter_than_the_first() -> None:
    section = OutlierDetectionConfig.model_validate({"base_ejection_time": "1m", "max_ejection_time": "1s"})
    assert (section.base_ejection_time, section.max_ejection_time) == (60.0, 1.0)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        (OutlierDetectionConfig, "max_ejection_percent", 101),
        (OutlierDetectionConfig, "max_ejection_percent", "50%"),
        (OutlierDetectionConfig, "max_ejection_percent", 0.5),
        (OutlierDetectionConfig, "max_ejection_percent", -1),
        (OutlierDetectionConfig, "base_ejection_time", 0),
        (OutlierDetectionConfig, "max_ejection_time", 0),
        (OutlierDetectionConfig, "interval", 0),
        (OutlierDetectionConfig, "consecutive_local_origin_failure", 0),
        (OutlierDetectionConfig, "consecutive_5xx", 5),
        (HealthChecksConfig, "timeout", 0),
        (HealthChecksConfig, "interval", "25h"),
        (HealthChecksConfig, "unhealthy_threshold", 0),
        (HealthChecksConfig, "healthy_threshold", 0),
        (HealthChecksConfig, "no_traffic_interval", "1m"),
    ],
)
def test_what_is_refused(section: type[Section], key: str, value: Any) -> None:
    with pytest.raises(pydantic.ValidationError) as error:
        section.model_validate({key: value})
    assert [found["loc"] for found in error.value.errors()] == [(key,)]
