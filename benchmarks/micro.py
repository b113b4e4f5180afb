"""Micro benchmarks of the hot modules, alone and without input or output: nanoseconds for each thing done.

Both forms are measured, each in a process of its own. Called from Python, a compiled function pays for the call, which
it does not when compiled code calls it: the figures serve to compare one change with another.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from timeit import Timer
from types import SimpleNamespace
from typing import Any, cast

import hiredis

from rproxy.commands.lookup import COMMANDS
from rproxy.config.models import ClusterConfig
from rproxy.dispatch.fragments import Fragments
from rproxy.dispatch.session import Session
from rproxy.dispatch.split import send_fragments
from rproxy.dispatch.split_reply import SplitReply
from rproxy.downstream.reply_queue import ReplyQueue
from rproxy.form import running_form
from rproxy.metrics.counters import CommandStats
from rproxy.resp import encode, wire
from rproxy.topology.discovery import topology_from_slots
from rproxy.topology.read_policy import ReadPolicy
from rproxy.topology.slots import hash_slot
from rproxy.topology.snapshot import Endpoint
from rproxy.transport.connection import Connection, Traffic, Turn
from rproxy.upstream.cluster import Cluster
from rproxy.upstream.connection import UpstreamConnection
from rproxy.upstream.in_flight import InFlight
from rproxy.upstream.sink import Sink
from rproxy.upstream.slow_log import SlowLog

_REPEATS = 3
_BATCH = 16
_KEY = b"small:000000012345"
_VALUE = b"x" * 32
_BULK = encode.bulk(_VALUE)
_GET = encode.command([b"GET", _KEY])
_SET = encode.command([b"SET", _KEY, _VALUE])
_MGET = encode.command([b"MGET", *[b"small:%012d" % number for number in range(100)]])
_SHARDS = 3

Call = Callable[[], None]


@dataclass(frozen=True)
class Micro:
    """One micro benchmark: ``prepare`` makes a call that does ``count`` things."""

    name: str
    count: int
    prepare: Callable[[], Call]


def measure(micro: Micro) -> float:
    """Nanoseconds for each thing: the least of some repeats, since noise only adds."""
    timer = Timer(micro.prepare())
    loops, _ = timer.autorange()
    gc.collect()
    return min(timer.repeat(_REPEATS, loops)) / loops / micro.count * 1e9


def both_forms() -> dict[str, dict[str, float]]:
    """The figures of each form that is here, by form and name."""
    measured: dict[str, dict[str, float]] = {}
    for is_pure in ("0", "1"):
        answer = subprocess.run(
            [sys.executable, "-m", __name__],
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "RPROXY_PURE": is_pure},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
        )
        measured.update(json.loads(answer.stdout))
    return measured


# -- the scanners


def _scan(commands: bytes) -> Callable[[], Call]:
    """Scan a chunk of commands."""

    def prepare() -> Call:
        scanner = wire.RequestScanner()
        size = len(commands)

        def scan() -> None:
            start = 0
            while start < size and scanner.next(commands, start, size) == wire.COMMAND:
                start += scanner.consumed

        return scan

    return prepare


def _look_up() -> Call:
    """The command's row by its name, and the slot of its key."""
    scanner = _scanned(_GET)

    def look_up() -> None:
        scanner.find(COMMANDS)
        scanner.slot(1)

    return look_up


def _frame(replies: bytes) -> Callable[[], Call]:
    """Find where each reply of a chunk ends."""

    def prepare() -> Call:
        scanner = wire.ReplyScanner()
        size = len(replies)

        def frame() -> None:
            start = 0
            while start < size:
                start += scanner.next(replies, start, size)

        return frame

    return prepare


def _hash() -> Call:
    def hash_one() -> None:
        hash_slot(_KEY)

    return hash_one


# -- the queues


def _reply(order: range) -> Callable[[], Call]:
    """Open a place for each command and fill them in this order."""

    def prepare() -> Call:
        connection = Connection(_turn(), Traffic(), False)
        queue = ReplyQueue(connection)
        size = len(_BULK)

        def reply() -> None:
            first = queue.open()
            for _ in order[1:]:
                queue.open()
            for place in order:
                queue.deliver(first + place, _BULK, 0, size)
            connection.outbox.take()

        return reply

    return prepare


def _in_flight() -> Call:
    """Push and pop."""
    queue = InFlight()
    sink, stats = Sink(), CommandStats()

    def push_and_pop() -> None:
        for token in range(_BATCH):
            queue.push(sink, token, stats, 64, 1.0, 42, True, 0, 1)
        while queue.pop():
            pass

    return push_and_pop


def _upstream() -> Call:
    """Send commands on a connection, then frame their replies and deliver them."""
    cluster = SimpleNamespace(slow_log=SlowLog())
    pool = SimpleNamespace(turn=_turn(), traffic=Traffic(), cluster=cluster)
    connection = UpstreamConnection(cast(Any, pool), 0)
    sink, stats = Sink(), CommandStats()
    replies = _BULK * _BATCH
    size = len(_GET)

    def send_and_answer() -> None:
        for token in range(_BATCH):
            connection.send(_GET, 0, size, sink, token, stats, 42, True)
        connection.outbox.take()
        connection.on_bytes(replies, 0, len(replies))

    return send_and_answer


# -- splitting


def _cut() -> Call:
    """Group the keys by slot."""
    scanner = _scanned(_MGET)
    spec = COMMANDS.get(b"MGET")

    def cut() -> None:
        Fragments(spec, scanner)

    return cut


def _split() -> Call:
    """Cut, send to the shards, and make one reply of theirs."""
    scanner = _scanned(_MGET)
    spec = COMMANDS.get(b"MGET")
    cluster = _cluster()
    downstream = Connection(cluster.turn, Traffic(), False)
    queue, stats, session = ReplyQueue(downstream), CommandStats(), Session(1, "", "", 0.0)

    def ask() -> None:
        fragments = Fragments(spec, scanner)
        reply = SplitReply(spec.response_policy, fragments, queue, queue.open(), stats, cluster.turn, session)
        send_fragments(cluster, spec, scanner, fragments, reply, 0)

    def answer() -> None:
        for connection, replies in exchanges:
            connection.outbox.take()
            connection.on_bytes(replies, 0, len(replies))
        downstream.outbox.take()

    def split() -> None:
        ask()
        answer()

    ask()
    connections = [cast(UpstreamConnection, cluster.connection_for(slot, True, 0)) for slot in cluster.shard_slots()]
    exchanges = [(connection, _answers(connection.outbox.take())) for connection in connections]
    answer()
    return split


def _answers(requests: bytes) -> bytes:
    """What a node says to MGETs."""
    reader = hiredis.Reader()
    reader.feed(requests)
    return b"".join(encode.array([_BULK] * (len(request) - 1)) for request in iter(reader.gets, False))


# -- what they stand on


def _scanned(command: bytes) -> wire.RequestScanner:
    scanner = wire.RequestScanner()
    scanner.next(command, 0, len(command))
    return scanner


def _cluster() -> Cluster:
    """A cluster of some shards whose connections never come about."""
    settings = ClusterConfig(name="main", endpoints=("127.0.0.1:1",))
    cluster = Cluster(
        settings, ReadPolicy.PRIMARY, _turn(), op_timeout=5.0, follows_redirections=True, draw=lambda: 0.5
    )
    width = 16384 // _SHARDS + 1
    slots = [[n * width, min((n + 1) * width, 16384) - 1, [b"127.0.0.1", n + 1]] for n in range(_SHARDS)]
    cluster.swap(topology_from_slots(slots, Endpoint("127.0.0.1", 1)))
    return cluster


def _turn() -> Turn:
    """A turn that never ends."""
    turn = Turn(cast(Any, _Still()))
    turn.is_running = True
    return turn


class _Dropped:
    """A task that never runs."""

    def add_done_callback(self, _: Callable[[Any], None]) -> None:
        """Nothing is ever done."""


class _Still:
    """A loop that runs nothing."""

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> _Dropped:
        """Drop it."""
        coroutine.close()
        return _Dropped()


MICROS = (
    Micro("scan GET, pipeline 16", _BATCH, _scan(_GET * _BATCH)),
    Micro("scan SET 32 B, pipeline 16", _BATCH, _scan(_SET * _BATCH)),
    Micro("scan MGET of 100 keys", 1, _scan(_MGET)),
    Micro("look a command up and hash its key", 1, _look_up),
    Micro("hash slot of a key of 18 bytes", 1, _hash),
    Micro("frame a bulk string of 32 B, 16 replies", _BATCH, _frame(_BULK * _BATCH)),
    Micro("frame an array of 100 bulk strings", 1, _frame(encode.array([_BULK] * 100))),
    Micro("reply queue, 16 replies in order", _BATCH, _reply(range(_BATCH))),
    Micro("reply queue, 16 replies in reverse", _BATCH, _reply(range(_BATCH)[::-1])),
    Micro("requests in flight, 16 pushed and popped", _BATCH, _in_flight),
    Micro("upstream, 16 requests sent and answered", _BATCH, _upstream),
    Micro("cut MGET of 100 keys by slot", 1, _cut),
    Micro("split MGET of 100 keys, send, assemble", 1, _split),
)

if __name__ == "__main__":
    print(json.dumps({running_form(): {micro.name: measure(micro) for micro in MICROS}}))
