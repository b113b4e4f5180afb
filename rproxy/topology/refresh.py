"""When a cluster's topology is read again: on a period, and at once when something hints at a change.

The settings are those of Envoy's ``RedisClusterConfig``
(https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/clusters/redis/v3/redis_cluster.proto), with one
difference. Envoy ignores every hint for ``redirect_refresh_interval`` after a refresh was triggered, so a failover that
ends inside it is noticed late. Here only redirections wait for it, since their slot is already corrected in the
snapshot; after a failure or a degraded host the next refresh comes at once, at most every ``DEBOUNCE`` seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rproxy.topology.redirection import RedirectionKind

DEBOUNCE = 0.05
"""Seconds between two refreshes at least, whatever happens: a promotion is to be noticed within twice as much."""
RETRY_FIRST = 0.1
RETRY_MOST = 1.0
"""Seconds after a refresh that found no usable answer: doubled from the first to the most."""
SPREAD = 0.1
"""The share of a period by which jitter moves a refresh, so that many proxies do not ask at the same time."""


@dataclass(frozen=True, slots=True)
class RefreshPolicy:
    """The settings, in seconds and counts. A threshold is the number of hints that trigger a refresh, 0 for never."""

    cluster_refresh_rate: float = 5.0
    """Between successive refreshes when nothing happens."""
    redirect_refresh_interval: float = 5.0
    """Between refreshes that redirections trigger; redirections inside it are not counted."""
    redirect_refresh_threshold: int = 5
    failure_refresh_threshold: int = 1
    """Envoy's default is 0: rproxy looks for the promoted replica at once."""
    host_degraded_refresh_threshold: int = 0


class _Hint(Enum):
    REDIRECT = "redirect"
    FAILURE = "failure"
    DEGRADED = "degraded"


_HINT_OF = {
    RedirectionKind.MOVED: _Hint.REDIRECT,
    RedirectionKind.ASK: _Hint.REDIRECT,
    RedirectionKind.CLUSTERDOWN: _Hint.FAILURE,
    RedirectionKind.MASTERDOWN: _Hint.FAILURE,
    RedirectionKind.READONLY: _Hint.FAILURE,
}
"""What a redirection hints at; TRYAGAIN and LOADING say nothing about the topology."""


class RefreshSchedule:
    """Counts hints and says when to refresh next. All times are seconds of one monotonic clock.

    The first refresh is due at once. One refresh runs at a time; its caller tells how it ended with ``on_refreshed`` or
    ``on_refresh_failed``, then asks for ``next_refresh_at`` again after each hint.
    """

    __slots__ = ("_counts", "_ended_at", "_failed", "_policy", "_quiet_until", "_thresholds", "_wanted_at")

    def __init__(self, policy: RefreshPolicy) -> None:
        self._policy = policy
        self._thresholds = {
            _Hint.REDIRECT: policy.redirect_refresh_threshold,
            _Hint.FAILURE: policy.failure_refresh_threshold,
            _Hint.DEGRADED: policy.host_degraded_refresh_threshold,
        }
        self._counts = dict.fromkeys(_Hint, 0)
        self._wanted_at: float | None = None
        """When a hint last reached its threshold, ``None`` if none has since the topology was read."""
        self._quiet_until: float | None = None
        self._ended_at: float | None = None
        self._failed = 0

    def on_redirect(self, now: float, kind: RedirectionKind = RedirectionKind.MOVED) -> None:
        """A node redirected a request. The kinds that tell of a failover count as failures."""
        hint = _HINT_OF.get(kind)
        if hint is _Hint.REDIRECT and self._quiet_until is not None and now < self._quiet_until:
            return
        if hint is not None:
            self._count(hint, now)

    def on_failure(self, now: float) -> None:
        """A connection was lost, could not be opened, or has overdue requests."""
        self._count(_Hint.FAILURE, now)

    def on_degraded(self, now: float) -> None:
        """An endpoint became unhealthy or slow."""
        self._count(_Hint.DEGRADED, now)

    def _count(self, hint: _Hint, now: float) -> None:
        threshold = self._thresholds[hint]
        if threshold <= 0:
            return
        self._counts[hint] += 1
        if self._counts[hint] < threshold:
            return
        self._counts[hint] = 0
        self._wanted_at = now
        if hint is _Hint.REDIRECT:
            self._quiet_until = now + self._policy.redirect_refresh_interval

    def on_refreshed(self, now: float, started_at: float | None = None) -> None:
        """A refresh succeeded; the hints before ``started_at`` (all, if it is not told) are dealt with."""
        self._ended_at = now
        self._failed = 0
        if started_at is None or self._wanted_at is None or self._wanted_at <= started_at:
            self._wanted_at = None
            self._counts = dict.fromkeys(_Hint, 0)

    def on_refresh_failed(self, now: float) -> None:
        """A refresh found no usable answer; the hints still stand."""
        self._ended_at = now
        self._failed += 1

    def next_refresh_at(self, now: float, jitter: float) -> float:
        """When the next refresh is due, ``now`` at the earliest. ``jitter`` is a random number in [0, 1)."""
        if self._ended_at is None:
            return now
        if self._failed:
            wait = min(RETRY_FIRST * 2.0 ** min(self._failed - 1, 10), RETRY_MOST, self._policy.cluster_refresh_rate)
        elif self._wanted_at is not None:
            wait = DEBOUNCE
        else:
            wait = self._policy.cluster_refresh_rate
        return max(now, self._ended_at + max(wait * (1.0 + SPREAD * jitter), DEBOUNCE))
