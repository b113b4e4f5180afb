"""How evenly two workers share the clients, told by the descriptors that each process has open."""

from __future__ import annotations

from collections.abc import Mapping
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
        return share_of_fuller(before, process.descriptors(), clients / _WORKERS)


def share_of_fuller(before: Mapping[int, int], after: Mapping[int, int], fair_share: float) -> float:
    """What the process that opened the most descriptors opened, divided by ``fair_share``."""
    return max(count - before.get(pid, 0) for pid, count in after.items()) / fair_share
