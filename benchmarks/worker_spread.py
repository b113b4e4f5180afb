"""How evenly two workers share the clients, told by the descriptors that each process has open."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.backends import Backends
from benchmarks.comparisons import TWO_WORKERS
from benchmarks.idle_memory import connect
from benchmarks.peer_process import PeerProcess

_WORKERS = 2


def measure(backends: Backends, clients: int) -> float:
    """Connect ``clients`` clients to fresh workers: the clients of the fuller one, divided by its fair share.

    Raises ``StartError`` or ``LoadError``.
    """
    with PeerProcess(TWO_WORKERS, backends.nodes(TWO_WORKERS.backend)) as process, ExitStack() as stack:
        before = process.descriptors()
        for _ in range(clients):
            stack.enter_context(connect(process.port))
        after = process.descriptors()
        return max(after[pid] - before.get(pid, 0) for pid in after) / (clients / _WORKERS)
