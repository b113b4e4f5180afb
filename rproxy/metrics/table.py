"""Every metric of rproxy, one row each. Exposition, merging and ``docs/metrics.md`` derive from it.

``python -m rproxy.metrics.table`` prints the document. Names follow Prometheus's conventions (base units, ``_total``
for counters: https://prometheus.io/docs/practices/naming/).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import Enum

from rproxy.metrics.counters import BUCKETS


class Kind(Enum):
    """What a metric's values are."""

    COUNTER = "counter"
    """Only grows, until its process ends."""
    GAUGE = "gauge"
    """What is now."""
    HISTOGRAM = "histogram"
    """Durations in the buckets of ``metrics.counters.BUCKETS``."""


class Merge(Enum):
    """How the values of several workers, or of several users of a cluster in one, become one."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"


@dataclass(frozen=True, slots=True)
class Metric:
    """A row: the name as Prometheus shows it, its kind, the help text, its labels in order, and its merging."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    merge: Merge = Merge.SUM


def _counter(name: str, help_text: str, *labels: str) -> Metric:
    return Metric(f"rproxy_{name}_total", Kind.COUNTER, help_text, labels)


def _gauge(name: str, help_text: str, *labels: str, merge: Merge = Merge.SUM) -> Metric:
    return Metric(f"rproxy_{name}", Kind.GAUGE, help_text, labels, merge)


def _histogram(name: str, help_text: str, *labels: str) -> Metric:
    return Metric(f"rproxy_{name}", Kind.HISTOGRAM, help_text, labels)


METRICS = (
    # commands
    _counter("commands", "Requests answered, by outcome (success, error).", "cluster", "command", "result"),
    _histogram("command_duration_seconds", "Time from sending a request to its reply.", "cluster", "command"),
    _counter("local_commands", "Commands that rproxy answered itself.", "command"),
    _counter("denied", "Commands that users may not execute, and wrong passwords, by reason.", "reason"),
    _gauge("tasks", "Tasks of the event loops; their number does not follow that of clients or commands."),
    _gauge("commands_learned", "Commands that nodes have told of beyond the command table.", merge=Merge.MAX),
    # downstream
    _gauge("downstream_connections_active", "Clients connected now.", "listener"),
    _counter("downstream_connections_opened", "Clients that connected.", "listener"),
    _counter("downstream_connections_rejected", "Clients refused because there were too many.", "listener"),
    _counter(
        "downstream_connections_given_up",
        "Clients closed because they took no replies (slow, in_the_way), sent half a command and no more (half), or"
        " have a part of a reply whose node was lost (cut).",
        "listener",
        "reason",
    ),
    _counter("downstream_received_bytes", "Bytes received from clients.", "listener"),
    _counter("downstream_sent_bytes", "Bytes sent to clients.", "listener"),
    _counter("downstream_protocol_errors", "Clients closed because what they sent was not RESP.", "listener"),
    _counter("downstream_tls_failures", "Clients whose TLS handshake failed or took too long.", "listener"),
    # upstream
    _gauge("upstream_connections_active", "Connections to endpoints that are open now.", "cluster"),
    _counter("upstream_connections_opened", "Connections to endpoints that were opened.", "cluster"),
    _counter("upstream_connections_failed", "Connections to endpoints that could not be opened.", "cluster"),
    _counter(
        "upstream_connections_rate_limited",
        "Connections to endpoints that had to wait for connection_rate_limit_per_sec.",
        "cluster",
    ),
    _gauge(
        "upstream_pinned_connections", "Connections for one client: in use, or waiting for one.", "cluster", "state"
    ),
    _counter("upstream_received_bytes", "Bytes received from endpoints.", "cluster"),
    _counter("upstream_sent_bytes", "Bytes sent to endpoints.", "cluster"),
    _gauge("upstream_requests_in_flight", "Requests sent that wait for their reply.", "cluster"),
    _gauge("upstream_requests_parked", "Requests that wait for an endpoint that takes them.", "cluster"),
    _counter(
        "upstream_failures", "Requests that rproxy answered with an error of its own (timeout …).", "cluster", "failure"
    ),
    _counter("upstream_retries", "Requests sent again after a redirection or a lost connection.", "cluster"),
    _counter("redirections", "Replies that redirected a request (moved, ask, tryagain …).", "cluster", "kind"),
    # the health of endpoints
    _gauge("membership_endpoints", "Endpoints of the topology.", "cluster", merge=Merge.MIN),
    _gauge("membership_healthy", "Those that are healthy, as far as it is watched.", "cluster", merge=Merge.MIN),
    _gauge("outlier_detection_ejections_active", "Endpoints that are ejected now.", "cluster", merge=Merge.MAX),
    _counter("outlier_detection_ejections_enforced", "Ejections of endpoints after failures in a row.", "cluster"),
    _counter(
        "outlier_detection_ejections_overflow", "Ejections that did not come about for max_ejection_percent.", "cluster"
    ),
    _counter("health_checks", "Checks of endpoints with PING (success, failure).", "cluster", "result"),
    # subscriptions
    _gauge("subscriptions", "Subscriptions of clients now; upstream they share one for each topic.", "cluster"),
    _counter("messages_delivered", "Messages of subscriptions handed to clients.", "cluster"),
    _counter("resubscriptions", "Subscriptions made anew, after a loss or at another node.", "cluster"),
    # topology
    _counter("topology_refreshes", "Refreshes of the topology (success, failure, refused).", "cluster", "result"),
    _gauge("topology_age_seconds", "Time since the topology was last confirmed.", "cluster", merge=Merge.MAX),
    _gauge("topology_covered_slots", "Slots that a shard serves, of 16384.", "cluster", merge=Merge.MIN),
    _gauge("topology_shards", "Shards of the topology.", "cluster", merge=Merge.MIN),
    # mirrors
    _counter("mirror_sent", "Requests copied to this mirror cluster.", "cluster"),
    _counter("mirror_dropped", "Requests not copied to this mirror cluster for want of room or connection.", "cluster"),
    # processes
    _gauge(
        "build_info",
        "Always 1; the labels say which rproxy runs (form: compiled or pure).",
        "version",
        "form",
        merge=Merge.MAX,
    ),
    _gauge("workers_configured", "Workers that should run.", merge=Merge.MAX),
    _gauge("workers_alive", "Workers that run and answered this scrape."),
    _counter("config_reloads", "Attempts to apply another configuration (success, failure).", "result"),
    _gauge(
        "config_last_reload_successful",
        "Whether the last attempt succeeded (1), or the old configuration is in force (0).",
    ),
    _gauge("config_last_reload_success_timestamp_seconds", "When the configuration in force was read, in Unix time."),
    _counter("worker_restarts", "Workers started again because they had ended."),
    _gauge("start_time_seconds", "When the oldest process started, in Unix time.", merge=Merge.MIN),
    _gauge("resident_memory_bytes", "Resident memory of all processes."),
    _counter("cpu_seconds", "Processor time (user and system) of all processes."),
    _gauge("open_descriptors", "Open file descriptors of the process that has most.", merge=Merge.MAX),
    _gauge("descriptor_limit", "File descriptors that a process may have open.", merge=Merge.MIN),
)
"""All rows, in the order of the exposition."""

METRIC_BY_NAME = {metric.name: metric for metric in METRICS}

_DOCUMENT = """\
# Metrics

<!-- Made by `python -m rproxy.metrics.table > docs/metrics.md`; a test keeps it up to date. -->

`GET /metrics` on the admin address answers in Prometheus's text format, or as OpenMetrics to a scraper that prefers it.
With several workers the values are merged as the last column says; what a worker counted stays in the sums after it has
ended. Labels of commands appear with their first command.

| metric | kind | labels | meaning | of several workers |
|---|---|---|---|---|
{rows}

Histograms have these buckets, in seconds: {buckets}.
"""


def document() -> str:
    """``docs/metrics.md``."""
    return _DOCUMENT.format(
        rows="\n".join(_document_row(metric) for metric in METRICS),
        buckets=", ".join(f"{bound:.5f}".rstrip("0").rstrip(".") for bound in BUCKETS),
    )


def _document_row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind.value} | {labels} | {metric.help} | {metric.merge.value} |"


if __name__ == "__main__":
    sys.stdout.write(document())
