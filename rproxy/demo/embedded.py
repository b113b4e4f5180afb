"""An embedded Redis Cluster, or a single Redis, of real redis-server processes on loopback.

For the tour, the tests and the benchmarks. Everything lives in a temporary directory and ends with this process.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import hiredis

from rproxy.demo.leash import leash
from rproxy.demo.redis_process import RedisProcess, find_redis_server, version_of
from rproxy.demo.wire_client import Argument
from rproxy.errors import StartError

__all__ = ["EmbeddedCluster", "EmbeddedRedis", "RedisProcess", "find_redis_server"]

SLOTS = 16384


class _Embedded(ABC):
    """Redis processes with a temporary directory; a context manager that starts them and leaves nothing behind."""

    nodes: list[RedisProcess]

    def __init__(self) -> None:
        self.nodes = []
        self._directory: Path | None = None

    def start(self) -> None:
        """Start every process. Raises ``StartError``, with all of them ended."""
        self._directory = Path(tempfile.mkdtemp(prefix="rproxy-redis-"))
        leash().hold(str(self._directory))
        try:
            self.nodes = self._launch(self._directory)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process and remove the directory; a second call does nothing."""
        for node in self.nodes:
            node.kill()
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)
            leash().release(str(self._directory))
            self._directory = None

    @abstractmethod
    def _launch(self, directory: Path) -> list[RedisProcess]:
        """Start the processes, each in a folder of its own in ``directory``."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class EmbeddedRedis(_Embedded):
    """One standalone redis-server, ``node``."""

    def __init__(self, extra_args: Sequence[str] = ()) -> None:
        super().__init__()
        self._arguments = extra_args

    @property
    def node(self) -> RedisProcess:
        """The one process."""
        return self.nodes[0]

    @property
    def port(self) -> int:
        """Its port."""
        return self.node.port

    @property
    def address(self) -> str:
        """``127.0.0.1:PORT``."""
        return self.node.address

    def call(self, *arguments: Argument) -> Any:
        """One command on a connection of its own."""
        return self.node.call(*arguments)

    def _launch(self, directory: Path) -> list[RedisProcess]:
        self.nodes = [RedisProcess(directory / "redis", self._arguments)]
        self.node.start()
        return self.nodes


class EmbeddedCluster(_Embedded):
    """A Redis Cluster of ``primaries`` shards with ``replicas`` replicas each; ``nodes`` has the primaries first.

    ``node_timeout_ms`` is Redis's ``cluster-node-timeout``: a dead primary is replaced about one second after it.
    ``extra_args`` go to every redis-server, as on its command line.
    """

    def __init__(
        self, primaries: int = 3, replicas: int = 1, *, node_timeout_ms: int = 2000, extra_args: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._primaries = primaries
        self._replicas = replicas
        self._arguments = ("--cluster-node-timeout", str(node_timeout_ms), *extra_args)
        self.node_timeout_ms = node_timeout_ms

    @property
    def seeds(self) -> str:
        """``127.0.0.1:PORT`` of every node, separated by commas."""
        return ",".join(node.address for node in self.nodes)

    @property
    def primaries(self) -> list[RedisProcess]:
        """The nodes that own slots now, in the order of their slots."""
        return list(dict.fromkeys(nodes[0] for _, _, nodes in self.slot_ranges()))

    def slot_ranges(self) -> list[tuple[int, int, list[RedisProcess]]]:
        """First and last slot and the nodes (primary first) of every range, as one running node says, in order."""
        ranges = self._any_node().call("CLUSTER", "SLOTS")
        return [
            (first, last, [self._node_at(endpoint[1]) for endpoint in endpoints])
            for first, last, *endpoints in sorted(ranges)
        ]

    def shard_of(self, key: Argument) -> list[RedisProcess]:
        """The nodes of the shard that owns the slot of ``key``: the primary, then its replicas, as the cluster says."""
        slot = self._any_node().call("CLUSTER", "KEYSLOT", key)
        for first, last, nodes in self.slot_ranges():
            if first <= slot <= last:
                return nodes
        raise LookupError(f"no shard owns slot {slot}")

    def primary_of(self, key: Argument) -> RedisProcess:
        """The primary of the shard of ``key``."""
        return self.shard_of(key)[0]

    def replica_of(self, key: Argument) -> RedisProcess:
        """The first replica of the shard of ``key``. Raises ``IndexError`` if it has none."""
        return self.shard_of(key)[1]

    def await_healthy(self, seconds: float = 60.0) -> None:
        """Wait until every running node sees every slot served and every replica in sync. Raises ``StartError``."""
        self._await("the cluster to be healthy", self._is_healthy, seconds)

    def _launch(self, directory: Path) -> list[RedisProcess]:
        for number in range(self._primaries * (1 + self._replicas)):
            node = RedisProcess(directory / f"node-{number}", self._arguments, is_cluster=True)
            self.nodes.append(node)
            node.start()
        self._form()
        return self.nodes

    def _form(self) -> None:
        primaries, replicas = self.nodes[: self._primaries], self.nodes[self._primaries :]
        for index, node in enumerate(primaries):
            first, last = SLOTS * index // len(primaries), SLOTS * (index + 1) // len(primaries) - 1
            node.call(*_add_slots(first, last))
        for epoch, node in enumerate(self.nodes, 1):
            node.call("CLUSTER", "SET-CONFIG-EPOCH", epoch)
            for other in self.nodes[: epoch - 1]:
                self._meet(node, other)
        self._await("the nodes to meet", self._have_met)
        ids = [node.call("CLUSTER", "MYID") for node in primaries]
        for index, node in enumerate(replicas):
            node.call("CLUSTER", "REPLICATE", ids[index % len(ids)])
        self.await_healthy()

    def _meet(self, node: RedisProcess, other: RedisProcess) -> None:
        node.call("CLUSTER", "MEET", "127.0.0.1", other.port)

    def _have_met(self) -> bool:
        return all(_cluster_info(node).get("cluster_known_nodes") == str(len(self.nodes)) for node in self.nodes)

    def _is_healthy(self) -> bool:
        running = [node for node in self.nodes if node.is_running]
        return all(self._is_settled(node, len(running)) for node in running)

    def _is_settled(self, node: RedisProcess, running: int) -> bool:
        if _cluster_info(node).get("cluster_state") != "ok":
            return False
        ranges = node.call("CLUSTER", "SLOTS")
        if len({endpoint[1] for entry in ranges for endpoint in entry[2:]}) != running:
            return False
        role = node.call("ROLE")
        return bool(role[0] == b"master" or role[3] == b"connected")

    def _await(self, what: str, is_true: Callable[[], bool], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if is_true():
                    return
            except (OSError, hiredis.ReplyError):
                pass  # a node that is loading or changing its role; asked again
            time.sleep(0.05)
        raise StartError(f"waited {seconds:.0f} s in vain for {what}")

    def _any_node(self) -> RedisProcess:
        return next(node for node in self.nodes if node.is_running)

    def _node_at(self, port: int) -> RedisProcess:
        return next(node for node in self.nodes if node.port == port)


def _add_slots(first: int, last: int) -> tuple[Argument, ...]:
    """The command that gives a node the slots ``first`` to ``last``: Redis 7 has one for ranges."""
    if version_of(find_redis_server()) >= (7, 0):
        return ("CLUSTER", "ADDSLOTSRANGE", first, last)
    return ("CLUSTER", "ADDSLOTS", *range(first, last + 1))


def _cluster_info(node: RedisProcess) -> dict[str, str]:
    """``CLUSTER INFO`` as a mapping."""
    lines = node.call("CLUSTER", "INFO").decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)
