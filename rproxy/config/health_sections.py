"""Sections about the health of a cluster's endpoints, in Envoy's words."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rproxy.config.fields import Bound, Count, Timeout
from rproxy.config.section import Section

Percent = Annotated[Count, Field(le=100)]
"""A share in whole per cent, as Envoy has it here."""


class OutlierDetectionConfig(Section):
    """When an endpoint gets no reads for a while because requests fail there. An empty section has the defaults."""

    consecutive_local_origin_failure: Bound = 5
    """Failures in a row after which an endpoint is ejected: requests without an answer in time, connections that could
    not be opened or were lost with requests in flight, replies that are no RESP."""

    interval: Timeout = 10.0
    """The time without an ejection after which the next one is shorter again, by one base_ejection_time."""

    base_ejection_time: Timeout = 30.0
    """How long the first ejection lasts; the second in a row lasts twice as long, and so on."""

    max_ejection_time: Timeout = 300.0
    """How long an ejection lasts at most, or base_ejection_time if that is longer."""

    max_ejection_percent: Percent = 50
    """While as many of the cluster's endpoints are ejected, no other is; 0: none ever is."""


class HealthChecksConfig(Section):
    """How endpoints are asked whether they are well, with PING. An empty section has the defaults."""

    timeout: Timeout = 1.0
    """The time in which PONG must come, a connection included where there is none."""

    interval: Timeout = 5.0
    """The time between two checks of an endpoint, by each worker."""

    unhealthy_threshold: Bound = 3
    """Checks that fail in a row before a healthy endpoint is taken for unhealthy."""

    healthy_threshold: Bound = 2
    """Good checks in a row before an unhealthy endpoint is taken for healthy."""
