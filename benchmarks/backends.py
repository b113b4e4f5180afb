"""The Redis servers behind the peers, with every key of the cases in place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from benchmarks.cases import DATASETS, Dataset
from benchmarks.peers import Backend
from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis, RedisProcess

SHARDS = 3
_BATCH = 500


class Backends:
    """A cluster of three primaries and, for proxies that know no cluster, three standalone servers.

    Each is started when it is first asked for, and all end with the context.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._nodes: dict[Backend, list[RedisProcess]] = {}

    def nodes(self, backend: Backend) -> list[RedisProcess]:
        """The servers of one kind. Raises ``StartError``."""
        if backend not in self._nodes:
            nodes = self._start(backend)
            for node in nodes:
                preload(node, DATASETS)
            self._nodes[backend] = nodes
        return self._nodes[backend]

    def _start(self, backend: Backend) -> list[RedisProcess]:
        if backend is Backend.CLUSTER:
            return self._stack.enter_context(EmbeddedCluster(primaries=SHARDS, replicas=0)).nodes
        return [self._stack.enter_context(EmbeddedRedis()).node for _ in range(SHARDS)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def preload(node: RedisProcess, datasets: Sequence[Dataset]) -> None:
    """Set every key that ``node`` accepts: a cluster's node refuses, with MOVED, the keys of other shards."""
    with node.connect(timeout=30) as client:
        for dataset in datasets:
            for numbers in _batches(dataset.keys):
                client.call_all([("SET", dataset.key(number), dataset.value) for number in numbers])


def _batches(count: int) -> Iterator[range]:
    return (range(first, min(first + _BATCH, count)) for first in range(0, count, _BATCH))
