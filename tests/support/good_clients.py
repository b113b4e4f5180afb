"""Clients that do nothing wrong while others do, and what these have left behind when they are gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil  # type: ignore[import-untyped]

from rproxy.upstream.pinned import IDLE_MOST
from tests.support import figures
from tests.support.load import Load
from tests.support.proxy import Proxy
from tests.support.waiting import await_true

MEMORY = 32 * 2**20
"""Bytes that may be left of what others cost: what the allocator keeps for the next."""
DESCRIPTORS = IDLE_MOST + 8
"""Descriptors that may: connections to a node that wait for the next client that needs its own, or that wants RESP3."""
CLIENTS = 8
WAIT_MOST = 2.0
"""Seconds that one command in a hundred may take, on a machine that has other things to do."""


@contextmanager
def good_clients(proxy: Proxy, promise: str) -> Iterator[Load]:
    """Others may do what they like inside: good clients notice nothing, and nothing is left of it.

    How long good clients waited meanwhile, and what was left, are figures of ``promise``.
    """
    process = psutil.Process(proxy.pid)
    with Load(proxy.port, [[f"good:{client}"] for client in range(CLIENTS)]) as load:
        load.go_on(0.3)
        memory, descriptors = process.memory_info().rss, process.num_fds()
        began = time.monotonic()
        yield load
        waits = sorted(entry.latency for entry in list(load.journal.entries) if entry.ended > began)
        await_true(lambda: proxy.metrics().total("rproxy_downstream_connections_active") == CLIENTS)
        load.go_on(0.2)
        await_true(lambda: process.num_fds() <= descriptors + DESCRIPTORS)
        left = process.memory_info().rss - memory
    journal = load.journal
    assert (journal.broken, journal.errors()[:5], journal.wrong[:5]) == ([], [], []), proxy.output[-2000:]
    assert proxy.is_running
    assert "Traceback" not in proxy.output
    assert left < MEMORY
    assert waits
    late = waits[len(waits) * 99 // 100]
    assert late < WAIT_MOST
    failed = len(journal.broken) + len(journal.errors()) + len(journal.wrong)
    figures.note(promise, "commands of good clients meanwhile", str(len(waits)))
    figures.note(promise, "of these failed", str(failed))
    figures.note(promise, "99th percentile of good clients' waits", f"{late * 1000:.0f} ms")
    figures.note(promise, "memory left over", f"{max(left, 0) / 2**20:.0f} MiB")
