"""The sections of INFO that are about rproxy itself, from the metrics of all its workers."""

from __future__ import annotations

import os
import platform
import resource
import secrets
import sys
import time
from collections.abc import Callable
from functools import cache

from rproxy import __version__
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.own_metrics import OwnMetrics
from rproxy.form import running_form
from rproxy.metrics.counters import BUCKETS
from rproxy.metrics.samples import Histogram
from rproxy.routing.info import Section

RUN_ID = secrets.token_hex(20)
"""What tells this process from one that was started later."""
_DAY = 86_400
_LRU_CLOCK = (1 << 24) - 1
_PERCENTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


# -- the sections


def _server(command: Command, context: Context, metrics: OwnMetrics) -> Section:
    now = time.time()
    uptime = int(now - (metrics.total("rproxy_start_time_seconds") or now))
    port = command.session.local_address.rpartition(":")[2]
    return {
        **context.server.versions,
        "redis_git_sha1": "00000000",
        "redis_git_dirty": "0",
        "redis_build_id": "0",
        "redis_mode": "standalone",
        "os": _os(),
        "arch_bits": "64" if sys.maxsize > 1 << 32 else "32",
        "monotonic_clock": "POSIX clock_gettime",
        "multiplexing_api": "epoll",
        "atomicvar_api": "none",
        "gcc_version": "0.0.0",
        "process_id": str(os.getpid()),
        "process_supervised": "no",
        "run_id": RUN_ID,
        "tcp_port": port if port.isdigit() else "0",
        "server_time_usec": str(int(now * 1_000_000)),
        "uptime_in_seconds": str(uptime),
        "uptime_in_days": str(uptime // _DAY),
        "hz": "10",
        "configured_hz": "10",
        "lru_clock": str(int(now) & _LRU_CLOCK),
        "executable": sys.executable,
        "config_file": "",
        "io_threads_active": "0",
        "rproxy_version": __version__,
        "rproxy_form": running_form(),
    }


@cache
def _os() -> str:
    return f"{platform.system()} {platform.release()} {platform.machine()}"


def _clients(command: Command, context: Context, metrics: OwnMetrics) -> Section:
    return {
        "connected_clients": _whole(metrics.total("rproxy_downstream_connections_active")),
        "cluster_connections": "0",
        "maxclients": str(context.max_clients),
        "client_recent_max_input_buffer": "0",
        "client_recent_max_output_buffer": "0",
        "blocked_clients": "0",
        "tracking_clients": "0",
        "clients_in_timeout_table": "0",
    }


def own_stats(metrics: OwnMetrics) -> Section:
    """The fields of the stats section that are about rproxy and its clients rather than the nodes and theirs."""
    local = metrics.total("rproxy_local_commands_total")
    return {
        "total_connections_received": _whole(metrics.total("rproxy_downstream_connections_opened_total")),
        "total_commands_processed": _whole(metrics.total("rproxy_commands_total") + local),
        "total_net_input_bytes": _whole(metrics.total("rproxy_downstream_received_bytes_total")),
        "total_net_output_bytes": _whole(metrics.total("rproxy_downstream_sent_bytes_total")),
        "rejected_connections": _whole(metrics.total("rproxy_downstream_connections_rejected_total")),
    }


def _replication(command: Command, context: Context, metrics: OwnMetrics) -> Section:
    return {
        "role": "master",
        "connected_slaves": "0",
        "master_failover_state": "no-failover",
        "master_replid": RUN_ID,
        "master_replid2": "0" * 40,
        "master_repl_offset": "0",
        "second_repl_offset": "-1",
        "repl_backlog_active": "0",
        "repl_backlog_size": "1048576",
        "repl_backlog_first_byte_offset": "0",
        "repl_backlog_histlen": "0",
    }


def _cpu(command: Command, context: Context, metrics: OwnMetrics) -> Section:
    """The processor time of all processes, divided into system and user as this one's is."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    own = usage.ru_stime + usage.ru_utime
    total = max(metrics.total("rproxy_cpu_seconds_total"), own)
    system = total * usage.ru_stime / own if own else 0.0
    return {
        "used_cpu_sys": f"{system:.6f}",
        "used_cpu_user": f"{total - system:.6f}",
        "used_cpu_sys_children": "0.000000",
        "used_cpu_user_children": "0.000000",
        "used_cpu_sys_main_thread": f"{usage.ru_stime:.6f}",
        "used_cpu_user_main_thread": f"{usage.ru_utime:.6f}",
    }


def _cluster(command: Command, context: Context, metrics: OwnMetrics) -> Section:
    return {"cluster_enabled": "0"}


def _command_stats(command: Command, context: Context, metrics: OwnMetrics) -> Section:
    stats: Section = {}
    for name, histogram in metrics.histograms().items():
        calls = sum(histogram.counts)
        usec = round(histogram.seconds * 1_000_000)
        failed = _whole(metrics.total("rproxy_commands_total", name, "error"))
        per_call = f"usec_per_call={usec / calls if calls else 0:.2f}"
        stats[f"cmdstat_{name}"] = f"calls={calls},usec={usec},{per_call},rejected_calls=0,failed_calls={failed}"
    for (name,), count in metrics.labelled("rproxy_local_commands_total"):
        stats[f"cmdstat_{name}"] = f"calls={count},usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0"
    return stats


def _latency_stats(command: Command, context: Context, metrics: OwnMetrics) -> Section:
    return {
        f"latency_percentiles_usec_{name}": ",".join(
            f"{label}={_percentile(histogram, share):.3f}" for label, share in _PERCENTILES.items()
        )
        for name, histogram in metrics.histograms().items()
    }


OWN: dict[str, Callable[[Command, Context, OwnMetrics], Section]] = {
    "server": _server,
    "clients": _clients,
    "replication": _replication,
    "cpu": _cpu,
    "cluster": _cluster,
    "commandstats": _command_stats,
    "latencystats": _latency_stats,
}
"""The sections that no node is asked for."""


# -- numbers


def _percentile(histogram: Histogram, share: float) -> float:
    """The upper bound, in microseconds, of the bucket in which the percentile lies."""
    missing = share * sum(histogram.counts)
    for bound, count in zip(BUCKETS, histogram.counts, strict=False):
        missing -= count
        if missing <= 0:
            return bound * 1_000_000
    return 2 * BUCKETS[-1] * 1_000_000


def _whole(number: float) -> str:
    return str(int(number))
