"""The faults of the soak: a table of kinds, each of which breaks something real and puts it right again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]
import yaml

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.redis_process import RedisProcess
from tests.support.client import RawClient, pack
from tests.support.proxy import Proxy
from tests.support.resharding import move_slots, owned_slots
from tests.support.waiting import await_true

SLOTS_MOVED = 5


@dataclass
class Stage:
    """What faults are done to. ``draw`` decides everything, so that a seed says what happens."""

    cluster: EmbeddedCluster
    proxy: Proxy
    draw: random.Random
    workers: int
    done: dict[str, int] = field(default_factory=dict)
    """How often each kind was done."""

    def primary(self) -> RedisProcess:
        """One of the primaries."""
        return self.draw.choice(self.cluster.primaries)

    def shard(self) -> list[RedisProcess]:
        """The nodes of one of the shards, its primary first."""
        return self.draw.choice(self.cluster.slot_ranges())[2]


def _kill_primary(stage: Stage) -> None:
    primary, *replicas = stage.shard()
    primary.kill()
    await_true(lambda: any(replica.role == "primary" for replica in replicas), 60)
    primary.start()


def _kill_replica(stage: Stage) -> None:
    replica = stage.shard()[1]
    replica.kill()
    time.sleep(stage.draw.uniform(0.1, 0.5))
    replica.start()


def _hang(stage: Stage) -> None:
    primary = stage.primary()
    primary.stop_process()
    try:
        time.sleep(stage.draw.uniform(0.2, 1.0))
    finally:
        primary.cont()


def _hang_until_replaced(stage: Stage) -> None:
    primary, *replicas = stage.shard()
    primary.stop_process()
    try:
        await_true(lambda: any(replica.role == "primary" for replica in replicas), 60)
    finally:
        primary.cont()


def _fail_over(stage: Stage) -> None:
    replica = stage.shard()[1]
    if replica.call("CLUSTER", "FAILOVER") == b"OK":
        await_true(lambda: replica.role == "primary", 60)


def _move_slots(stage: Stage) -> None:
    source, target = stage.draw.sample(stage.cluster.primaries, 2)
    slots = stage.draw.sample(owned_slots(source), SLOTS_MOVED)
    move_slots(slots, source, target, stage.cluster.nodes)
    move_slots(slots, target, source, stage.cluster.nodes)


def _cut_connections(stage: Stage) -> None:
    stage.primary().call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def _slow_node(stage: Stage) -> None:
    stage.primary().call("CLIENT", "PAUSE", stage.draw.randint(100, 800), "ALL")


def _leave_in_the_middle(stage: Stage) -> None:
    for number in range(20):
        with RawClient(stage.proxy.port) as client, contextlib.suppress(OSError):
            client.send(pack("WATCH", f"left:{number}") + pack("MULTI") + pack("BLPOP", "left", 0) * 3)
            client.send(pack("GET", f"left:{number}") * 200 + b"*2\r\n$3\r\nGET\r\n$1000\r\nhalf")
        with RawClient(stage.proxy.port) as client, contextlib.suppress(OSError):
            client.send(pack("BLPOP", f"left:{number}", 0) if number % 2 else pack("SUBSCRIBE", f"left:{number}"))


def _kill_worker(stage: Stage) -> None:
    restarts = stage.proxy.metrics().total("rproxy_worker_restarts_total")
    os.kill(stage.draw.choice(psutil.Process(stage.proxy.pid).children()).pid, signal.SIGKILL)
    await_true(lambda: stage.proxy.metrics().total("rproxy_worker_restarts_total") > restarts, 60)
    await_true(lambda: stage.proxy.metrics().total("rproxy_workers_alive") == stage.workers, 60)


def _reload(stage: Stage) -> None:
    def done() -> float:
        return stage.proxy.metrics().total("rproxy_config_reloads_total", result="success")

    before = done()
    config = yaml.safe_load(stage.proxy.config_file.read_text())
    config["clusters"][0]["max_parked"] = 1000 + stage.draw.randrange(1000)
    stage.proxy.config_file.write_text(yaml.safe_dump(config))
    stage.proxy.send_signal(signal.SIGHUP)
    await_true(lambda: done() > before, 60)


FAULTS: dict[str, Callable[[Stage], None]] = {
    "a primary is killed": _kill_primary,
    "a replica is killed": _kill_replica,
    "a primary hangs": _hang,
    "a primary hangs until it is replaced": _hang_until_replaced,
    "a manual failover": _fail_over,
    "slots move": _move_slots,
    "connections of a node are cut": _cut_connections,
    "a node is slow": _slow_node,
    "clients leave in the middle": _leave_in_the_middle,
    "a worker is killed": _kill_worker,
    "a new configuration": _reload,
}
"""Every kind of fault. Each returns when what it broke runs again, though it need not have recovered yet."""
LOSSY = ("a primary is killed", "a primary hangs until it is replaced")
"""Kinds after which acknowledged writes may be missing: replication is not synchronous."""


def break_something(stage: Stage, kinds: list[str]) -> str:
    """Do one fault, drawn from ``kinds``, and wait until the cluster is whole again. Which it was."""
    kind = stage.draw.choice(kinds)
    stage.done[kind] = stage.done.get(kind, 0) + 1
    FAULTS[kind](stage)
    stage.cluster.await_healthy()
    return kind
