"""A worker's metrics, read from the counters of its listeners and clusters."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rproxy.commands.catalog import Catalog
from rproxy.dispatch.context import Context
from rproxy.downstream.listener import Listener
from rproxy.metrics.samples import Histogram, Sample
from rproxy.upstream.cluster import Cluster

if TYPE_CHECKING:
    from rproxy.server.worker import Worker


def samples_of(worker: Worker) -> list[Sample]:
    """Every metric that one worker counts; several users of one cluster give several samples of the same labels."""
    samples: list[Sample] = []
    for listener in worker.listeners:
        samples += _of_listener(listener)
    for context in worker.contexts:
        samples += _of_context(context)
    samples.append(("rproxy_commands_learned", (), len(worker.catalog.learned)))
    samples.append(("rproxy_tasks", (), len(asyncio.all_tasks())))
    for cluster in worker.clusters.values():
        samples += of_cluster(cluster, worker.catalog)
        samples += _of_topology(cluster)
        samples += _of_health(cluster)
    for cluster in worker.retired:
        samples += of_cluster(cluster, worker.catalog)
    return samples + worker.departed


def _of_listener(listener: Listener) -> Iterator[Sample]:
    labels = (listener.name,)
    traffic = listener.traffic
    yield "rproxy_downstream_connections_active", labels, traffic.active
    yield "rproxy_downstream_connections_opened_total", labels, traffic.opened
    yield "rproxy_downstream_connections_rejected_total", labels, listener.rejected
    for reason, count in listener.given_up.items():
        yield "rproxy_downstream_connections_given_up_total", (listener.name, reason), count
    yield "rproxy_downstream_received_bytes_total", labels, traffic.received_bytes
    yield "rproxy_downstream_sent_bytes_total", labels, traffic.sent_bytes
    yield "rproxy_downstream_protocol_errors_total", labels, listener.protocol_errors
    yield "rproxy_downstream_tls_failures_total", labels, traffic.failed


def _of_context(context: Context) -> Iterator[Sample]:
    for command, count in context.local_commands.items():
        yield "rproxy_local_commands_total", (command,), count
    for reason, count in context.acl_log.counts.items():
        yield "rproxy_denied_total", (reason,), count
    for route in context.bound.values():
        for mirror in route.mirrors:
            labels = (mirror.cluster.name,)
            yield "rproxy_mirror_sent_total", labels, mirror.sent
            yield "rproxy_mirror_dropped_total", labels, mirror.dropped


def of_cluster(cluster: Cluster, catalog: Catalog) -> Iterator[Sample]:
    """What a cluster has counted, and how busy it is."""
    labels = (cluster.name,)
    traffic = cluster.traffic
    for index, stats in cluster.counted():
        command = catalog.specs[index].name.decode().lower()
        yield "rproxy_commands_total", (cluster.name, command, "success"), stats.success
        yield "rproxy_commands_total", (cluster.name, command, "error"), stats.error
        yield "rproxy_command_duration_seconds", (cluster.name, command), Histogram(stats.counts, stats.seconds)
    yield "rproxy_upstream_connections_active", labels, traffic.active
    yield "rproxy_upstream_connections_opened_total", labels, traffic.opened
    yield "rproxy_upstream_connections_failed_total", labels, traffic.failed
    yield "rproxy_upstream_connections_rate_limited_total", labels, cluster.rate_limited
    yield "rproxy_upstream_received_bytes_total", labels, traffic.received_bytes
    yield "rproxy_upstream_sent_bytes_total", labels, traffic.sent_bytes
    yield "rproxy_upstream_requests_in_flight", labels, cluster.pools.in_flight()
    yield "rproxy_upstream_requests_parked", labels, len(cluster.parking)
    in_use, idle = cluster.pools.pinned()
    yield "rproxy_upstream_pinned_connections", (cluster.name, "in_use"), in_use
    yield "rproxy_upstream_pinned_connections", (cluster.name, "idle"), idle
    yield "rproxy_upstream_retries_total", labels, cluster.retries
    subscriptions = cluster.subscriptions
    yield "rproxy_subscriptions", labels, subscriptions.listening
    yield "rproxy_messages_delivered_total", labels, subscriptions.delivered
    yield "rproxy_resubscriptions_total", labels, subscriptions.renewed
    for failure, count in cluster.failures.items():
        yield "rproxy_upstream_failures_total", (cluster.name, failure), count
    for kind, count in cluster.redirections.items():
        yield "rproxy_redirections_total", (cluster.name, kind), count


def _of_topology(cluster: Cluster) -> Iterator[Sample]:
    labels = (cluster.name,)
    yield "rproxy_topology_covered_slots", labels, cluster.topology.covered
    yield "rproxy_topology_shards", labels, len(cluster.topology.shards)
    if cluster.refresher is None:
        return
    for result, count in cluster.refresher.results.items():
        yield "rproxy_topology_refreshes_total", (cluster.name, result), count
    age = cluster.refresher.age()
    if age is not None:
        yield "rproxy_topology_age_seconds", labels, age


def _of_health(cluster: Cluster) -> Iterator[Sample]:
    labels = (cluster.name,)
    health = cluster.health
    endpoints, healthy = health.counts()
    yield "rproxy_membership_endpoints", labels, endpoints
    yield "rproxy_membership_healthy", labels, healthy
    yield "rproxy_outlier_detection_ejections_active", labels, health.ejected()
    yield "rproxy_outlier_detection_ejections_enforced_total", labels, health.enforced
    yield "rproxy_outlier_detection_ejections_overflow_total", labels, health.overflow
    for result, count in health.checked.items():
        yield "rproxy_health_checks_total", (cluster.name, result), count
