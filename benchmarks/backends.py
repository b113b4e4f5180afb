"""The Redis servers behind the peers, with every key of the cases in place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Protocol, Self

from benchmarks.cases import DATASETS, Dataset
from benchmarks.fake_cluster import FakeSeed, endpoints
from benchmarks.peers import Backend
from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis, RedisProcess

SHARDS = 3
MANY_SHARDS = 100
_BATCH = 500


class Node(Protocol):
    """What a proxy is given to begin with: a server, or a seed that names others."""

    @property
    def port(self) -> int:
        """Its port of loopback."""

    @property
    def address(self) -> str:
        """``127.0.0.1:PORT``."""


class Backends:
    """A cluster of three primaries; for proxies that know no cluster, three standalone servers; and a fake cluster.

    Each is started when it is first asked for, and all end with the context.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._nodes: dict[Backend, Sequence[Node]] = {}
        self._shared: Sequence[RedisProcess] = ()

    def nodes(self, backend: Backend) -> Sequence[Node]:
        """What the proxies before this backend are given. Raises ``StartError``."""
        if backend not in self._nodes:
            self._nodes[backend] = self._start(backend)
        return self._nodes[backend]

    def _start(self, backend: Backend) -> Sequence[Node]:
        if backend is Backend.CLUSTER:
            return _loaded(self._stack.enter_context(EmbeddedCluster(primaries=SHARDS, replicas=0)).nodes)
        if backend is Backend.STANDALONE:
            return self._standalone()
        shards = MANY_SHARDS if backend is Backend.HUNDRED_SHARDS else SHARDS
        ports = [node.port for node in self._servers_of_fakes()]
        return [self._stack.enter_context(FakeSeed(endpoints(ports, shards), SHARDS))]

    def _servers_of_fakes(self) -> Sequence[RedisProcess]:
        """The servers behind the fake cluster, whatever its size."""
        if not self._shared:
            self._shared = self._standalone()
        return self._shared

    def _standalone(self) -> Sequence[RedisProcess]:
        return _loaded([self._stack.enter_context(EmbeddedRedis()).node for _ in range(SHARDS)])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def _loaded(nodes: Sequence[RedisProcess]) -> Sequence[RedisProcess]:
    for node in nodes:
        preload(node, DATASETS)
    return nodes


def preload(node: RedisProcess, datasets: Sequence[Dataset]) -> None:
    """Set every key that ``node`` accepts: a cluster's node refuses, with MOVED, the keys of other shards."""
    with node.connect(timeout=30) as client:
        for dataset in datasets:
            for numbers in _batches(dataset.keys):
                client.call_all([("SET", dataset.key(number), dataset.value) for number in numbers])


def _batches(count: int) -> Iterator[range]:
    return (range(first, min(first + _BATCH, count)) for first in range(0, count, _BATCH))
