"""The faults of the soak: a table of kinds, each of which breaks something real and puts it right again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]
import yaml

from rproxy.demo.embedded import EmbeddedRedis
from rproxy.demo.redis_process import RedisProcess
from rproxy.upstream.failure import BROKEN_OFF, GARBAGE, LOST, NO_TOPOLOGY, TIMEOUT, UNREACHABLE
from tests.support.client import RawClient, pack
from tests.support.proxy import Proxy
from tests.support.relay import Faults
from tests.support.relayed_cluster import RelayedCluster
from tests.support.resharding import move_slots, owned_slots
from tests.support.restarting import Restarting
from tests.support.soak_verdict import Excuse, Trouble
from tests.support.waiting import await_true

SETTLED = 1.0
"""Seconds after a fault in which rproxy may still be finding out that the cluster is whole."""
_WAITED = 4.0
"""Seconds that a command has waited at least that is told that its ``op_timeout``, of five, is over."""
_NOTICED = 3.0
"""Seconds in which a lost connection is noticed, on a machine that has other things to do: what is sent later waits."""


@dataclass
class Stage:
    """What faults are done to. ``draw`` decides everything, so that a seed says what happens.

    ``slots`` are those that the clients use.
    """

    cluster: RelayedCluster
    mirror: EmbeddedRedis
    proxy: Proxy
    draw: random.Random
    workers: int
    slots: Sequence[int]
    done: dict[str, int] = field(default_factory=dict)
    """How often each kind was done."""
    killed_workers: int = 0
    """How many since the program was started, or started anew."""

    def __post_init__(self) -> None:
        self.restarting = Restarting(self.proxy)

    @property
    def pid(self) -> int:
        """The process of rproxy that serves now."""
        return self.restarting.pid

    def worker_restarts(self) -> float:
        """How often a worker was started again, as that process counts."""
        return self.proxy.metrics().total("rproxy_worker_restarts_total")

    def primary(self) -> RedisProcess:
        """One of the primaries."""
        return self.draw.choice(self.cluster.primaries)

    def shard(self) -> list[RedisProcess]:
        """The nodes of one of the shards, its primary first."""
        return self.draw.choice(self.cluster.slot_ranges())[2]

    def epoch(self) -> int:
        """The cluster's epoch, which grows with every change of a primary."""
        return max(self._epoch_of(node) for node in self.cluster.nodes if node.is_running)

    def _epoch_of(self, node: RedisProcess) -> int:
        lines = node.call("CLUSTER", "INFO").decode().splitlines()
        return int(dict(line.split(":") for line in lines)["cluster_current_epoch"])


Lost = Collection[int]
"""Slots whose last acknowledged writes may be missing."""


def _kill_primary(stage: Stage) -> Lost:
    primary, *replicas = stage.shard()
    lost = owned_slots(primary)
    stage.cluster.kill(primary)
    await_true(lambda: any(replica.role == "primary" for replica in replicas), 60)
    stage.cluster.revive(primary)
    return lost


def _kill_replica(stage: Stage) -> Lost:
    replica = stage.shard()[1]
    stage.cluster.kill(replica)
    time.sleep(stage.draw.uniform(0.1, 0.5))
    stage.cluster.revive(replica)
    return ()


def _hang(stage: Stage) -> Lost:
    primary = stage.primary()
    primary.stop_process()
    try:
        time.sleep(stage.draw.uniform(0.2, 1.0))
    finally:
        primary.cont()
    return ()


def _hang_until_replaced(stage: Stage) -> Lost:
    primary, *replicas = stage.shard()
    lost = owned_slots(primary)
    primary.stop_process()
    try:
        await_true(lambda: any(replica.role == "primary" for replica in replicas), 60)
    finally:
        primary.cont()
    return lost


def _fail_over(stage: Stage) -> Lost:
    """A replica takes over. Where one has done so just before, nobody votes for it, and writes wait for up to 5 s."""
    replica = stage.shard()[1]
    if replica.call("CLUSTER", "FAILOVER") == b"OK":
        await_true(lambda: replica.role == "primary", 60)
    return ()


def _move_slots(stage: Stage) -> Lost:
    source, target = stage.draw.sample(stage.cluster.primaries, 2)
    owned = owned_slots(source)
    slots = [*stage.draw.sample([slot for slot in stage.slots if slot in owned], 2), stage.draw.choice(owned)]
    move_slots(slots, source, target, stage.cluster.nodes)
    move_slots(slots, target, source, stage.cluster.nodes)
    return ()


def _cut_connections(stage: Stage) -> Lost:
    stage.primary().call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    return ()


def _slow_node(stage: Stage) -> Lost:
    stage.primary().call("CLIENT", "PAUSE", stage.draw.randint(100, 800), "ALL")
    return ()


def _network(stage: Stage, seconds: float, **faults: float) -> None:
    """The network to one shard has faults for a while."""
    for relay in stage.cluster.relays:
        relay.faults = Faults(**faults)  # type: ignore[arg-type]
    time.sleep(seconds)
    for relay in stage.cluster.relays:
        relay.faults = Faults()


def _slow_network(stage: Stage) -> Lost:
    _network(stage, 1.0, delay=stage.draw.uniform(0.005, 0.05), loss=stage.draw.uniform(0.0, 0.05))
    return ()


def _reset_connections(stage: Stage) -> Lost:
    for relay in stage.cluster.relays:
        relay.reset()
    return ()


def _cut_replies(stage: Stage) -> Lost:
    _network(stage, 0.3, cut_after=stage.draw.randint(1, 50_000))
    return ()


def _swallow(stage: Stage) -> Lost:
    """What is sent never arrives, and then the connections turn out to be dead."""
    _network(stage, stage.draw.uniform(0.2, 1.0), is_black_hole=True)
    return _reset_connections(stage)


def _leave_in_the_middle(stage: Stage) -> Lost:
    for number in range(20):
        with RawClient(stage.proxy.port) as client, contextlib.suppress(OSError):
            client.send(pack("WATCH", f"left:{number}") + pack("MULTI") + pack("BLPOP", "left", 0) * 3)
            client.send(pack("GET", f"left:{number}") * 200 + b"*2\r\n$3\r\nGET\r\n$1000\r\nhalf")
        with RawClient(stage.proxy.port) as client, contextlib.suppress(OSError):
            client.send(pack("BLPOP", f"left:{number}", 0) if number % 2 else pack("SUBSCRIBE", f"left:{number}"))
    return ()


def _talk_nonsense(stage: Stage) -> Lost:
    for _ in range(20):
        with RawClient(stage.proxy.port) as client, contextlib.suppress(OSError):
            client.send(stage.draw.randbytes(stage.draw.randint(1, 5000)))
            client.send(pack("SET", "nonsense", stage.draw.randbytes(1000))[: stage.draw.randint(1, 1000)])
    return ()


def _flood(stage: Stage) -> Lost:
    """A long pipeline, whose replies are taken as they come: the relays need the time of this process too."""
    wanted = b"$-1\r\n" * 20_000
    with RawClient(stage.proxy.port) as client:
        client.send(b"".join(pack("GET", f"flood:{number}") for number in range(20_000)))
        assert client.stream.read(len(wanted)) == wanted
    return ()


def _do_not_read(stage: Stage) -> Lost:
    """Ask for much, take nothing of it for a while, and leave."""
    with RawClient(stage.proxy.port) as client:
        client.send(pack("SET", "unread", "x" * 1_000_000) + pack("GET", "unread") * 200)
        time.sleep(stage.draw.uniform(0.2, 2.0))
    return ()


def _storm(stage: Stage) -> Lost:
    """Many clients at once, who say one word."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(stage.proxy.port)) for _ in range(300)]
        for client in clients:
            client.send(pack("PING"))
        assert {client.read_reply() for client in clients} == {b"+PONG\r\n"}
    return ()


def _new_addresses(stage: Stage) -> Lost:
    """Every node of a shard is known at another address."""
    for relay in stage.cluster.relays:
        stage.cluster.readdress(relay)
    return ()


def _answer_nonsense(stage: Stage) -> Lost:
    """Connections are lost, and what answers new ones for a while is no Redis."""
    for relay in stage.cluster.relays:
        relay.faults = Faults(talks_nonsense=True)
    _reset_connections(stage)
    time.sleep(stage.draw.uniform(0.1, 0.5))
    for relay in stage.cluster.relays:
        relay.faults = Faults()
    return ()


def _hang_mirror(stage: Stage) -> Lost:
    stage.mirror.node.stop_process()
    try:
        time.sleep(stage.draw.uniform(0.2, 2.0))
    finally:
        stage.mirror.node.cont()
    return ()


def _kill_mirror(stage: Stage) -> Lost:
    stage.mirror.node.kill()
    time.sleep(stage.draw.uniform(0.1, 0.5))
    stage.mirror.node.start()
    return ()


def _start_anew(stage: Stage) -> Lost:
    """Another process takes over the clients."""
    assert stage.worker_restarts() == stage.killed_workers
    stage.restarting.restart()
    stage.killed_workers = 0
    return ()


def _kill_worker(stage: Stage) -> Lost:
    restarts = stage.worker_restarts()
    stage.killed_workers += 1
    os.kill(stage.draw.choice(psutil.Process(stage.pid).children()).pid, signal.SIGKILL)
    await_true(lambda: stage.worker_restarts() > restarts, 60)
    await_true(lambda: stage.proxy.metrics().total("rproxy_workers_alive") == stage.workers, 60)
    return ()


def _reload(stage: Stage) -> Lost:
    def done() -> float:
        return stage.proxy.metrics().total("rproxy_config_reloads_total", result="success")

    before = done()
    config = yaml.safe_load(stage.proxy.config_file.read_text())
    config["clusters"][0]["max_parked"] = 1000 + stage.draw.randrange(1000)
    stage.proxy.config_file.write_text(yaml.safe_dump(config))
    os.kill(stage.pid, signal.SIGHUP)
    await_true(lambda: done() > before, 60)
    return ()


@dataclass(frozen=True)
class Fault:
    """A kind of fault: ``strike`` returns when what it broke runs again, though it need not have recovered yet.

    ``excuses`` are all the errors that clients may be told; ``breaks``: they may lose their connections. One that is in
    the middle of a large reply does when its node is lost, since the rest of the reply cannot be had. ``repeats``:
    another node may be listened to from then on, and subscribers hear a message twice that was on its way to it.
    """

    strike: Callable[[Stage], Lost]
    excuses: tuple[Excuse, ...] = ()
    breaks: bool = False
    repeats: bool = False


_CUT = (Excuse.of(LOST, most=_NOTICED), Excuse.of(BROKEN_OFF, most=_NOTICED))
_NOBODY = Excuse.of(UNREACHABLE, _WAITED)
FAULTS: dict[str, Fault] = {
    "a primary is killed": Fault(_kill_primary, (*_CUT, _NOBODY), breaks=True, repeats=True),
    "a replica is killed": Fault(_kill_replica, repeats=True),
    "a primary hangs": Fault(_hang),
    "a primary hangs until it is replaced": Fault(
        _hang_until_replaced, (Excuse.of(TIMEOUT, _WAITED), _NOBODY), repeats=True
    ),
    "a manual failover": Fault(_fail_over, (Excuse.of(TIMEOUT, _WAITED),), repeats=True),
    "slots move": Fault(_move_slots),
    "connections of a node are cut": Fault(_cut_connections, _CUT, breaks=True, repeats=True),
    "a node is slow": Fault(_slow_node),
    "the network is slow and loses packets": Fault(_slow_network),
    "the network resets connections": Fault(_reset_connections, _CUT, breaks=True, repeats=True),
    "the network cuts replies": Fault(_cut_replies, _CUT, breaks=True, repeats=True),
    "the network swallows everything": Fault(_swallow, _CUT, breaks=True, repeats=True),
    "a shard has new addresses": Fault(_new_addresses, _CUT, breaks=True, repeats=True),
    "a shard answers nonsense": Fault(_answer_nonsense, (*_CUT, Excuse.of(GARBAGE)), breaks=True, repeats=True),
    "a mirror hangs": Fault(_hang_mirror),
    "a mirror is killed": Fault(_kill_mirror),
    "clients leave in the middle": Fault(_leave_in_the_middle),
    "clients talk nonsense": Fault(_talk_nonsense),
    "a client floods": Fault(_flood),
    "a client does not read": Fault(_do_not_read),
    "clients come in a storm": Fault(_storm),
    "a worker is killed": Fault(_kill_worker, (Excuse.of(NO_TOPOLOGY),), breaks=True),
    "a new configuration": Fault(_reload),
    "the program is started anew": Fault(_start_anew, repeats=True),
}
"""Every kind of fault."""
BRIEF = (
    "connections of a node are cut",
    "clients leave in the middle",
    "slots move",
    "the network cuts replies",
    "a new configuration",
)
"""Kinds that take no time but the machine's, for the part of ``make test``."""
_BY_ITSELF = (Excuse.of(LOST), Excuse.of(BROKEN_OFF), Excuse.of(TIMEOUT, _WAITED), _NOBODY)
"""What a failover explains that nobody asked for: nodes that got no processor for a while were taken for dead."""


def break_something(stage: Stage, kind: str) -> Trouble:
    """Do a fault, and wait until the cluster is whole again and rproxy has had time to find out."""
    began = time.monotonic()
    stage.done[kind] = stage.done.get(kind, 0) + 1
    fault = FAULTS[kind]
    lost = fault.strike(stage)
    stage.cluster.await_healthy()
    time.sleep(SETTLED)
    ended = time.monotonic()
    return Trouble(kind, began, ended, fault.excuses, frozenset(lost), fault.breaks, fault.repeats)


def be_calm(stage: Stage, seconds: float) -> list[Trouble]:
    """A while in which nothing is done, and nothing may fail but by itself."""
    began, epoch = time.monotonic(), stage.epoch()
    time.sleep(seconds)
    if stage.epoch() == epoch:
        return []
    stage.cluster.await_healthy()
    time.sleep(SETTLED)
    lost = range(16384)
    return [Trouble("by itself", began, time.monotonic(), _BY_ITSELF, lost, breaks=True, repeats=True)]
