"""What an endpoint's health checks say of it: each is good or not, and some in a row make it healthy or unhealthy.

Pure; the thresholds are those of Envoy's ``HealthCheck``, the check itself is that of its Redis health checker: a
``PING`` that is not answered with ``PONG`` has failed, so a node that is loading, or a replica that has lost its
primary and may not serve old data, is not healthy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rproxy.config.health_sections import HealthChecksConfig

_SHOWN = 80
"""Characters of a node's own words that are shown."""


class CheckRecord:
    """The checks of one endpoint, which is healthy until enough of them have failed."""

    __slots__ = ("_in_a_row", "has_failed")

    def __init__(self) -> None:
        self.has_failed = False
        """Whether the endpoint is unhealthy."""
        self._in_a_row = 0

    def on_check(self, is_good: bool, policy: HealthChecksConfig) -> bool:
        """One more check; whether it has made the endpoint healthy or unhealthy."""
        if is_good is not self.has_failed:
            self._in_a_row = 0  # it says what is known
            return False
        self._in_a_row += 1
        if self._in_a_row < (policy.healthy_threshold if is_good else policy.unhealthy_threshold):
            return False
        self.has_failed = not is_good
        self._in_a_row = 0
        return True


def verdict(answer: object) -> str:
    """What is wrong with an answer to ``PING``, in a few words; empty if nothing is."""
    if isinstance(answer, Exception):
        return str(answer)[:_SHOWN]
    return "" if answer == b"PONG" else "the answer to PING is no PONG"
