"""Which endpoints of a cluster are unhealthy: reads go elsewhere, as long as there is another place for them.

Writes, and reads that have only one place, go to an unhealthy endpoint all the same: it is the best there is. An
endpoint is unhealthy because its requests fail (``upstream.outlier``), or its checks (``upstream.checks``), or because
it says itself that it can answer no reads now.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from rproxy.topology.snapshot import Endpoint
from rproxy.upstream.checker import Checker
from rproxy.upstream.checks import CheckRecord
from rproxy.upstream.failure import LOST
from rproxy.upstream.outlier import OutlierRecord

if TYPE_CHECKING:
    from rproxy.config.health_sections import OutlierDetectionConfig
    from rproxy.upstream.cluster import Cluster
    from rproxy.upstream.pool import Pool

FAILED_ACTIVE_HC = "failed_active_hc"
FAILED_OUTLIER_CHECK = "failed_outlier_check"
"""Envoy's flags of an endpoint whose checks fail, and of one that is ejected."""
NOT_READY = "not_ready"
"""The flag of one that said ``LOADING`` or ``MASTERDOWN``."""
NOT_READY_FOR = 1.0
"""Seconds for which it is not asked again, if another may answer."""

log = logging.getLogger("rproxy.upstream")


class Health:
    """What is known of the endpoints of one cluster; nothing is kept of one that was always well.

    It costs a request that succeeds nothing: only failures come here, and each pool is told when its endpoint changes.
    """

    __slots__ = ("_checker", "_checks", "_cluster", "_not_ready", "_records", "checked", "enforced", "overflow")

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._records: dict[Endpoint, OutlierRecord] = {}
        self._checks: dict[Endpoint, CheckRecord] = {}
        self._not_ready: dict[Endpoint, float] = {}  # and until when
        self._checker = Checker(cluster, self.on_check)
        self.checked: Counter[str] = Counter()
        """Checks by their result, ``success`` or ``failure``."""
        self.enforced = 0
        """Ejections so far."""
        self.overflow = 0
        """Ejections that ``max_ejection_percent`` forbade."""

    def flags(self, endpoint: Endpoint) -> list[str]:
        """Why ``endpoint`` is unhealthy, in Envoy's words where it has one; empty if it is not."""
        checks, record = self._checks.get(endpoint), self._records.get(endpoint)
        reasons = {
            FAILED_ACTIVE_HC: checks is not None and checks.has_failed,
            FAILED_OUTLIER_CHECK: record is not None and record.ejected_until is not None,
            NOT_READY: endpoint in self._not_ready,
        }
        return [flag for flag, is_so in reasons.items() if is_so]

    def is_unhealthy(self, endpoint: Endpoint) -> bool:
        """Whether reads should go elsewhere."""
        return bool(self.flags(endpoint))

    def ejected(self) -> int:
        """How many endpoints are ejected now."""
        return sum(record.ejected_until is not None for record in self._records.values())

    def counts(self) -> tuple[int, int]:
        """How many endpoints the topology has, and how many of them are healthy."""
        endpoints = self._cluster.topology.endpoints()
        return len(endpoints), sum(not self.is_unhealthy(endpoint) for endpoint in endpoints)

    # -- what is heard of endpoints

    def on_failures(self, pool: Pool, count: int, at: float, answered: float, reason: str) -> None:
        """Requests of ``pool`` failed, or a connection; ``at`` and ``answered`` are as for ``OutlierRecord``."""
        policy = self._cluster.settings.outlier_detection
        endpoint = pool.endpoint
        if policy is None or pool.is_retired or endpoint not in self._cluster.topology.endpoints():
            return
        record = self._records.setdefault(endpoint, OutlierRecord())
        if record.ejected_until is not None:
            return
        record.on_failures(count, at, answered)
        if record.failures >= policy.consecutive_local_origin_failure:
            self._eject(endpoint, record, policy, reason)

    def _eject(self, endpoint: Endpoint, record: OutlierRecord, policy: OutlierDetectionConfig, reason: str) -> None:
        failures, record.failures = record.failures, 0
        if 100 * self.ejected() >= policy.max_ejection_percent * len(self._cluster.topology.endpoints()):
            self.overflow += 1
            return
        seconds = record.eject(self._cluster.turn.now, policy)
        self.enforced += 1
        text = "cluster %s: %s is ejected for %g s after %d failures in a row (%s)"
        log.warning(text, self._cluster.name, endpoint, seconds, failures, reason)
        self._tell(endpoint, is_silent=True)

    def on_check(self, endpoint: Endpoint, trouble: str, is_silent: bool) -> None:
        """A check has ended, with some ``trouble`` or with none; ``is_silent``: the endpoint said nothing in time."""
        policy = self._cluster.settings.health_checks
        if policy is None:
            return
        self.checked["failure" if trouble else "success"] += 1
        record = self._records.get(endpoint)
        if not trouble and record is not None and record.ejected_until is not None:
            self._release(endpoint, record)
        checks = self._checks.setdefault(endpoint, CheckRecord())
        if not checks.on_check(not trouble, policy):
            return
        if trouble:
            log.warning("cluster %s: %s is unhealthy: its checks fail (%s)", self._cluster.name, endpoint, trouble)
        else:
            log.info("cluster %s: %s is healthy again", self._cluster.name, endpoint)
        self._tell(endpoint, is_silent)

    def on_not_ready(self, endpoint: Endpoint) -> None:
        """It answered a read with ``LOADING`` or ``MASTERDOWN``."""
        if endpoint not in self._cluster.topology.endpoints():
            return
        was_known = endpoint in self._not_ready
        self._not_ready[endpoint] = self._cluster.turn.now + NOT_READY_FOR
        if not was_known:
            self._tell(endpoint)

    def _release(self, endpoint: Endpoint, record: OutlierRecord) -> None:
        record.release(self._cluster.turn.now)
        log.info("cluster %s: %s is ejected no more", self._cluster.name, endpoint)
        self._tell(endpoint)

    # -- what follows

    def _tell(self, endpoint: Endpoint, is_silent: bool = False) -> None:
        """Tell the pools of ``endpoint`` what it is now; if it ``is_silent``, reads are not left waiting there."""
        is_unhealthy = self.is_unhealthy(endpoint)
        for is_readonly in (False, True):
            pool = self._cluster.pools.find(endpoint, is_readonly)
            if pool is not None:
                pool.is_unhealthy = is_unhealthy
                if is_unhealthy and is_readonly and is_silent:
                    _send_elsewhere(pool)
        if is_unhealthy and self._cluster.refresher is not None:
            self._cluster.refresher.on_degraded()

    def tick(self, now: float) -> None:
        """The janitor's round: end what is over."""
        for endpoint in [endpoint for endpoint, until in self._not_ready.items() if until <= now]:
            del self._not_ready[endpoint]
            self._tell(endpoint)
        for endpoint, record in self._records.items():
            if record.ejected_until is not None and record.ejected_until <= now:
                self._release(endpoint, record)

    def on_swap(self) -> None:
        """Forget the endpoints that the topology does not have any more, and check those that it has."""
        endpoints = set(self._cluster.topology.endpoints())
        self._records = {each: record for each, record in self._records.items() if each in endpoints}
        self._checks = {each: record for each, record in self._checks.items() if each in endpoints}
        self._not_ready = {each: until for each, until in self._not_ready.items() if each in endpoints}
        self._begin_checks()

    def on_reconfigured(self) -> None:
        """Other settings are in force; what is unhealthy stays so, as far as it is still watched."""
        self._checker.cancel()
        if self._cluster.settings.outlier_detection is None:
            self._records.clear()
        if self._cluster.settings.health_checks is None:
            self._checks.clear()
        self._begin_checks()

    def _begin_checks(self) -> None:
        policy = self._cluster.settings.health_checks
        if policy is not None:
            self._checker.watch(self._cluster.topology.endpoints(), policy)

    def close(self) -> None:
        """Check nothing any more."""
        self._checker.cancel()

    def describe(self) -> dict[str, list[str]]:
        """The flags of every endpoint by its address, none if it is healthy: JSON-able."""
        return {str(endpoint): self.flags(endpoint) for endpoint in self._cluster.topology.endpoints()}


def _send_elsewhere(pool: Pool) -> None:
    """Close the connections of a replica on which reads wait, so that these are sent again, to another endpoint.

    One that is busy goes on: its node is answering, or waits for a client.
    """
    for connection in pool.connections():
        if connection.was_open and connection.in_flight.count() and not connection.is_busy:
            connection.fail(LOST, "the endpoint is unhealthy")
