"""The steps of the tour: each does something through rproxy and checks, on the nodes themselves, what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import hiredis

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.monitor import Monitor, SeenCommand
from rproxy.demo.placement import ShardKeys, listed, misplaced
from rproxy.demo.redis_process import RedisProcess
from rproxy.demo.stage import Stage
from rproxy.errors import RproxyError

if TYPE_CHECKING:
    from rproxy.demo.screen import Screen

Seen = TypeVar("Seen")

KEYS = frozenset("abcdefgh")
KEY = "b"
"""The key that is read, written, and whose primary dies."""


class StepFailed(RproxyError):  # noqa: N818 - it is the outcome of a step
    """A step did not show what it should; the text says what was seen instead."""


class Step(NamedTuple):
    """A step's short name, what it is going to show, and how."""

    name: str
    promise: str
    show: Callable[[Stage, Screen], None]


def show_placement(stage: Stage, screen: Screen) -> None:
    """Set a to h through rproxy and compare what every node holds."""
    with stage.client() as client:
        for key in sorted(KEYS):
            client.call("SET", key, f"value of {key}")
    with screen.waiting("waiting for the replicas"):
        _await(lambda: misplaced(_shard_keys(stage.cluster)) is None, 5.0)
    shards = _shard_keys(stage.cluster)
    columns = ("slots", "keys of these slots", "primary holds", "replica holds")
    rows = [(shard.slots, listed(shard.owned), *map(_node_and_keys, shard.held.items())) for shard in shards]
    screen.table(columns, rows)
    if fault := misplaced(shards):
        raise StepFailed(fault)
    screen.good("every key is in the shard of its slot, on the primary and on its replica, and nowhere else")


def show_reads(stage: Stage, screen: Screen) -> None:
    """Read a key three times and see who was asked."""
    replica = stage.cluster.replica_of(KEY)
    with ExitStack() as watching, stage.client() as client:
        monitors = [watching.enter_context(Monitor(node)) for node in (*stage.cluster.nodes, stage.mirror.node)]
        for _ in range(3):
            value = client.call("GET", KEY)
        seen = {monitor.node: _about_key(monitor.take()) for monitor in monitors}
    _show_seen(screen, stage, seen)
    expected = {node: 3 if node is replica else 0 for node in seen}
    if value != f"value of {KEY}".encode():
        raise StepFailed(f"GET {KEY} through rproxy answered {value!r}")
    if {node: len(commands) for node, commands in seen.items()} != expected:
        raise StepFailed(f"the replica on {replica.port} should have seen 3 reads of {KEY}, and no other node any")
    screen.good(f"only the replica of the shard of {KEY}, on {replica.port}, saw the 3 reads")


def show_mirror(stage: Stage, screen: Screen) -> None:
    """Read and write a key, and see that the mirror gets the write alone."""
    primary = stage.cluster.primary_of(KEY)
    with ExitStack() as watching, stage.client() as client:
        at_primary, at_mirror = (watching.enter_context(Monitor(node)) for node in (primary, stage.mirror.node))
        client.call("GET", KEY)
        client.call("SET", KEY, "mirrored")
        with screen.waiting("waiting for the mirror"):
            copies = _await(lambda: _about_key(at_mirror.take()), 5.0)
        seen = {primary: _about_key(at_primary.take()), stage.mirror.node: copies + _about_key(at_mirror.take())}
    _show_seen(screen, stage, seen)
    for node, commands in seen.items():
        if [_as_typed(command) for command in commands] != [f"SET {KEY} mirrored"]:
            raise StepFailed(f"{_called(stage, node)} should have seen SET {KEY} and nothing else of {KEY}")
    screen.good(f"the primary on {primary.port} and the mirror saw the write; the mirror saw no read")


def show_failover(stage: Stage, screen: Screen) -> None:
    """Kill the primary of a key and write until a client is served again."""
    primary, replica = stage.cluster.shard_of(KEY)
    with stage.client() as client:
        primary.kill()
        screen.say(f"kill -9 of the primary on {primary.port}")
        killed = time.monotonic()
        with screen.waiting(f"writing {KEY} until it is answered"):
            refused = _write_until_served(stage, killed + 30.0)
        seconds = time.monotonic() - killed
        client.call("SET", KEY, "after")
    if replica.role != "primary" or replica.call("GET", KEY) != b"after":
        raise StepFailed(f"the replica on {replica.port} was not promoted or does not have the write")
    screen.good(
        f"clients are served again after {seconds:.1f} s by the promoted replica on {replica.port};"
        f" {refused} {'write' if refused == 1 else 'writes'} got an error meanwhile"
    )
    screen.say(f"(the nodes themselves need the cluster-node-timeout of {stage.cluster.node_timeout_ms} ms and a vote)")
    with screen.waiting("starting the killed node again, now as a replica"):
        primary.restart()
        stage.cluster.await_healthy()


STEPS = (
    Step("placement", "a to h are set; who holds them?", show_placement),
    Step("replica reads", f"with read_policy: replica, {KEY} is read three times; who is asked?", show_reads),
    Step("mirror", f"{KEY} is read and set; what does the mirror get?", show_mirror),
    Step("failover", f"the primary of {KEY} dies; when are clients served again?", show_failover),
)


def _shard_keys(cluster: EmbeddedCluster) -> list[ShardKeys]:
    owners = {key: cluster.primary_of(key) for key in KEYS}
    return [
        ShardKeys(
            slots=f"{first}-{last}",
            owned=frozenset(key for key, owner in owners.items() if owner is nodes[0]),
            held={str(node.port): frozenset(key.decode() for key in node.call("KEYS", "*")) for node in nodes},
        )
        for first, last, nodes in cluster.slot_ranges()
    ]


def _node_and_keys(held: tuple[str, frozenset[str]]) -> str:
    node, keys = held
    return f"{node}: {listed(keys)}"


def _about_key(commands: Sequence[SeenCommand]) -> list[SeenCommand]:
    return [command for command in commands if KEY in command.arguments]


def _show_seen(screen: Screen, stage: Stage, seen: dict[RedisProcess, list[SeenCommand]]) -> None:
    rows = [(_called(stage, node), ", ".join(map(_as_typed, commands)) or "-") for node, commands in seen.items()]
    screen.table(("node", f"MONITOR: commands with {KEY}"), rows)


def _called(stage: Stage, node: RedisProcess) -> str:
    name = "mirror" if node is stage.mirror.node else node.role
    return f"{name} on {node.port}"


def _as_typed(command: SeenCommand) -> str:
    return " ".join((command.name.upper(), *command.arguments))


def _write_until_served(stage: Stage, deadline: float) -> int:
    refused = 0
    while time.monotonic() < deadline:
        try:
            with stage.client() as client:
                client.call("SET", KEY, "served")
        except hiredis.ReplyError:
            refused += 1
            time.sleep(0.05)
        else:
            return refused
    raise StepFailed("no write was answered within 30 s")


def _await(look: Callable[[], Seen], seconds: float) -> Seen:
    """Look until something true is seen, at most ``seconds``; what was seen last is for the caller to judge."""
    deadline = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return seen
