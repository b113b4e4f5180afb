"""Whether an endpoint is an outlier: failures in a row, and how long it is ejected for them.

Pure; the words and the rules are those of Envoy's outlier detection
(https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier). A success is no event here: that a
failure is not in a row with the one before is seen from what the endpoint has answered in between.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rproxy.config.health_sections import OutlierDetectionConfig

_NEVER = -math.inf


class OutlierRecord:
    """The failures of one endpoint. All times are seconds of one monotonic clock."""

    __slots__ = ("_failed_at", "_free_since", "_in_a_row", "ejected_until", "failures")

    def __init__(self) -> None:
        self.failures = 0
        """Failures in a row."""
        self.ejected_until: float | None = None
        """When the ejection ends; ``None`` while there is none."""
        self._failed_at = _NEVER
        self._free_since = 0.0
        self._in_a_row = 0

    def on_failures(self, count: int, at: float, answered: float) -> None:
        """``count`` more failures. They are not in a row with those before if the endpoint has answered in between.

        A request that was begun after ``at`` and is answered shows that. ``answered`` is when the newest request that
        has been answered was begun: so the late reply to a request that has failed is no success.
        """
        if answered > self._failed_at:
            self.failures = 0
        self.failures += count
        self._failed_at = max(self._failed_at, at)

    def eject(self, now: float, policy: OutlierDetectionConfig) -> float:
        """Begin an ejection; how long it lasts."""
        calm = (now - self._free_since) // policy.interval
        self._in_a_row = 1 + int(max(self._in_a_row - calm, 0))
        most = max(policy.max_ejection_time, policy.base_ejection_time)
        seconds = min(policy.base_ejection_time * self._in_a_row, most)
        self.ejected_until = now + seconds
        self.failures = 0
        return seconds

    def release(self, now: float) -> None:
        """End the ejection."""
        self.ejected_until = None
        self._free_since = now
