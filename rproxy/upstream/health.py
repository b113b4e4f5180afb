"""Which endpoints of a cluster are unhealthy: reads go elsewhere, as long as there is another place for them.

Writes, and reads that have only one place, go to an unhealthy endpoint all the same: it is the best there is.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rproxy.topology.snapshot import Endpoint
from rproxy.upstream.failure import LOST
from rproxy.upstream.outlier import OutlierRecord

if TYPE_CHECKING:
    from rproxy.config.health_sections import OutlierDetectionConfig
    from rproxy.upstream.cluster import Cluster
    from rproxy.upstream.pool import Pool

FAILED_OUTLIER_CHECK = "failed_outlier_check"
"""Envoy's flag of an endpoint that is ejected."""

log = logging.getLogger("rproxy.upstream")


class Health:
    """What is known of the endpoints of one cluster; nothing is kept of one that was always well.

    It costs a request that succeeds nothing: only failures come here, and each pool is told when its endpoint changes.
    """

    __slots__ = ("_cluster", "_records", "enforced", "overflow")

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._records: dict[Endpoint, OutlierRecord] = {}
        self.enforced = 0
        """Ejections so far."""
        self.overflow = 0
        """Ejections that ``max_ejection_percent`` forbade."""

    def flags(self, endpoint: Endpoint) -> list[str]:
        """Why ``endpoint`` is unhealthy, in Envoy's words; empty if it is not."""
        record = self._records.get(endpoint)
        return [FAILED_OUTLIER_CHECK] if record is not None and record.ejected_until is not None else []

    def is_unhealthy(self, endpoint: Endpoint) -> bool:
        """Whether reads should go elsewhere."""
        return bool(self._records) and bool(self.flags(endpoint))

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
        self._tell(endpoint)

    def _release(self, endpoint: Endpoint, record: OutlierRecord) -> None:
        record.release(self._cluster.turn.now)
        log.info("cluster %s: %s is ejected no more", self._cluster.name, endpoint)
        self._tell(endpoint)

    # -- what follows

    def _tell(self, endpoint: Endpoint) -> None:
        """Tell the pools of ``endpoint`` what it is now."""
        is_unhealthy = self.is_unhealthy(endpoint)
        for is_readonly in (False, True):
            pool = self._cluster.pool_at(endpoint, is_readonly)
            if pool is not None:
                pool.is_unhealthy = is_unhealthy
                if is_unhealthy and is_readonly:
                    _send_elsewhere(pool)
        if is_unhealthy and self._cluster.refresher is not None:
            self._cluster.refresher.on_degraded()

    def tick(self, now: float) -> None:
        """The janitor's round: end the ejections whose time is over."""
        for endpoint, record in self._records.items():
            if record.ejected_until is not None and record.ejected_until <= now:
                self._release(endpoint, record)

    def on_swap(self) -> None:
        """Forget the endpoints that the topology does not have any more."""
        if self._records:
            endpoints = set(self._cluster.topology.endpoints())
            self._records = {each: record for each, record in self._records.items() if each in endpoints}

    def on_reconfigured(self) -> None:
        """Other settings are in force; what is ejected stays so, unless nothing is to be."""
        if self._cluster.settings.outlier_detection is None:
            self._records.clear()

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
