"""The janitor's round of a pool: requests that are overdue are answered, silent connections replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rproxy.upstream.connection import UpstreamConnection
from rproxy.upstream.failure import LOST, TIMEOUT, UNREACHABLE

if TYPE_CHECKING:
    from rproxy.upstream.pool import Pool

SILENCE = 2
"""Times the time-out that a connection may go on without a reply after a request was overdue."""


def look_after(pool: Pool, now: float) -> None:
    """The janitor's round of one endpoint."""
    op_timeout = pool.cluster.op_timeout
    for connection in pool.connections():
        if not connection.is_stalled:
            _expire(connection, now - op_timeout)
        if connection.is_busy or connection.stalled_at or connection.filled:
            connection.look_after(now, op_timeout)
        pool.restore(connection.lane)
    pool.pins.tick(now)
    pool.dial_again()


def _expire(connection: UpstreamConnection, before: float) -> None:
    """Answer the requests begun before ``before`` that the connection has not."""
    cluster = connection.pool.cluster
    if connection.was_open:
        failure, line = TIMEOUT, TIMEOUT.line(str(connection.pool.endpoint))
    else:
        failure, line = UNREACHABLE, UNREACHABLE.line(cluster.name, "still connecting")
    expired = connection.expire(before)
    for sink, token, stats in expired:
        cluster.failures[failure.label] += 1
        if stats is not None:
            stats.record(True, cluster.op_timeout)
        sink.deliver(token, line, 0, len(line))
    if expired and connection.was_open:
        pool = connection.pool
        cluster.health.on_failures(pool, len(expired), before, pool.answered(), "no answer in time")
        _doubt(connection)
    elif expired:
        connection.fail(LOST, "still connecting")  # what was said not to be executed must not be sent after all


def _doubt(connection: UpstreamConnection) -> None:
    """Requests were overdue: another node may have taken over, and after a long silence the connection is at fault."""
    cluster = connection.pool.cluster
    cluster.on_failure()
    if not connection.silent_since:
        connection.silent_since = cluster.turn.now
        if cluster.refresher is not None:
            cluster.refresher.on_degraded()
    elif cluster.turn.now - connection.silent_since >= SILENCE * cluster.op_timeout:
        connection.fail(LOST, "silent for too long")
