"""What each step of the tour says, on a stage of fakes where things are right, and where one is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import hiredis
import pytest

from rproxy.demo import steps
from rproxy.demo.monitor import SeenCommand
from rproxy.demo.steps import KEY, KEYS, STEPS, StepFailed
from rproxy.resp.hash_slot import hash_slot

HALF = 8192


class Node:
    """A Redis process: what it holds, and what its MONITOR shows."""

    def __init__(self, port: int, role: str) -> None:
        self.port = port
        self.role = role
        self.held: dict[str, str] = {}
        self.seen: list[SeenCommand] = []
        self.is_alive = True

    def call(self, name: str, argument: str) -> Any:
        if name == "KEYS":
            return [key.encode() for key in self.held]
        assert name == "GET"
        return self.held[argument].encode()

    def kill(self) -> None:
        self.is_alive = False

    def restart(self) -> None:
        self.is_alive = True
        self.role = "replica"


class Monitor:
    """Shows what a node sees from its creation on."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._taken = len(node.seen)

    def take(self) -> list[SeenCommand]:
        seen = self.node.seen[self._taken :]
        self._taken = len(self.node.seen)
        return seen

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is to be closed."""


class Clock:
    """Time passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Screen:
    """Keeps what is shown."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.result = ""
        self.rows: list[tuple[str, ...]] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def good(self, text: str) -> None:
        self.result = text

    def table(self, _columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
        self.rows = [tuple(row) for row in rows]

    @contextmanager
    def waiting(self, _text: str) -> Iterator[None]:
        yield


class Stage:
    """Two shards of a primary and a replica, a mirror, and what rproxy is to do. It stands for its cluster too."""

    def __init__(self) -> None:
        self.cluster = self.mirror = self
        self.shards = [(Node(7000, "primary"), Node(7001, "replica")), (Node(7002, "primary"), Node(7003, "replica"))]
        self.nodes = [node for shard in self.shards for node in shard]
        self.node = Node(7009, "primary")
        self.node_timeout_ms = 2000
        self.answers: dict[str, bytes] = {}
        self.reads_at = "replica"
        self.mirrored = {"SET"}
        self.refusals = 0
        self.promotes = True
        self.is_healthy = False

    def shard_of(self, key: str) -> tuple[Node, Node]:
        return self.shards[hash_slot(key.encode()) // HALF]

    def primary_of(self, key: str) -> Node:
        return self.shard_of(key)[0]

    def replica_of(self, key: str) -> Node:
        return self.shard_of(key)[1]

    def slot_ranges(self) -> list[tuple[int, int, list[Node]]]:
        return [(0, HALF - 1, list(self.shards[0])), (HALF, 2 * HALF - 1, list(self.shards[1]))]

    def await_healthy(self) -> None:
        self.is_healthy = all(node.is_alive for node in self.nodes)

    @contextmanager
    def client(self) -> Iterator[Stage]:
        yield self

    def call(self, name: str, *arguments: str) -> Any:
        """A command through rproxy."""
        key = arguments[0]
        primary, replica = self.shard_of(key)
        seen = SeenCommand(name.lower(), arguments)
        if name in self.mirrored:
            self.node.seen.append(seen)
        if name == "GET":
            (replica if self.reads_at == "replica" else primary).seen.append(seen)
            return self.answers.get(key) or primary.held[key].encode()
        if not primary.is_alive:
            if self.refusals:
                self.refusals -= 1
                raise hiredis.ReplyError("CLUSTERDOWN")
            replica.role = "primary" if self.promotes else "replica"
        for node in (primary, replica):
            node.held[key] = arguments[1]
            node.seen.append(seen)
        return b"OK"


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(steps, "Monitor", Monitor)
    monkeypatch.setattr(steps, "time", Clock())
    stage = Stage()
    for key in KEYS:
        stage.call("SET", key, f"value of {key}")
    for node in (*stage.nodes, stage.node):
        node.seen.clear()
    return stage


def take(name: str, stage: Any) -> Screen:
    """Take the step called ``name``."""
    (show,) = [step.show for step in STEPS if step.name == name]
    screen: Any = Screen()
    show(stage, screen)
    return screen


def failure(name: str, stage: Stage) -> str:
    with pytest.raises(StepFailed) as caught:
        take(name, stage)
    return str(caught.value)


# -- placement


def test_the_placement_is_shown_for_every_shard(stage: Stage) -> None:
    for node in stage.nodes:
        node.held.clear()
    screen = take("placement", stage)
    owned = [" ".join(sorted(key for key in KEYS if stage.shard_of(key) == shard)) for shard in stage.shards]
    assert all(owned)
    assert screen.rows == [
        ("0-8191", owned[0], f"7000: {owned[0]}", f"7001: {owned[0]}"),
        ("8192-16383", owned[1], f"7002: {owned[1]}", f"7003: {owned[1]}"),
    ]
    assert screen.result.startswith("every key is in the shard of its slot")


@pytest.mark.parametrize("port", [7000, 7003])
def test_a_node_that_holds_another_key_fails_the_placement(stage: Stage, port: int) -> None:
    (node,) = (node for node in stage.nodes if node.port == port)
    node.held["stray"] = ""
    text = failure("placement", stage)
    assert text.startswith(f"{port} of slots ")
    assert "stray" in text


# -- replica reads


def test_three_reads_are_seen_by_the_replica_alone(stage: Stage) -> None:
    screen = take("replica reads", stage)
    seen = dict(screen.rows)
    assert seen.pop(f"replica on {stage.replica_of(KEY).port}") == ", ".join([f"GET {KEY}"] * 3)
    assert len(seen) == 4
    assert set(seen.values()) == {"-"}
    assert "saw the 3 reads" in screen.result


def test_reads_at_the_primary_fail_the_step(stage: Stage) -> None:
    stage.reads_at = "primary"
    replica = stage.replica_of(KEY)
    assert failure("replica reads", stage).startswith(f"the replica on {replica.port} should have seen 3 reads")


def test_reads_that_are_mirrored_fail_the_step(stage: Stage) -> None:
    stage.mirrored = {"GET", "SET"}
    assert "and no other node any" in failure("replica reads", stage)


def test_another_value_fails_the_step(stage: Stage) -> None:
    stage.answers[KEY] = b"nonsense"
    assert failure("replica reads", stage) == f"GET {KEY} through rproxy answered b'nonsense'"


# -- mirror


def test_the_mirror_gets_the_write_alone(stage: Stage) -> None:
    screen = take("mirror", stage)
    primary = stage.primary_of(KEY)
    assert screen.rows == [
        (f"primary on {primary.port}", f"SET {KEY} mirrored"),
        ("mirror on 7009", f"SET {KEY} mirrored"),
    ]
    assert "the mirror saw no read" in screen.result


@pytest.mark.parametrize("mirrored", [{"GET", "SET"}, {"GET"}, set()])
def test_a_mirror_that_gets_reads_or_no_writes_fails_the_step(stage: Stage, mirrored: set[str]) -> None:
    stage.mirrored = mirrored
    assert failure("mirror", stage) == f"mirror on 7009 should have seen SET {KEY} and nothing else of {KEY}"


# -- failover


@pytest.mark.parametrize(("refusals", "words"), [(0, "0 writes"), (1, "1 write"), (2, "2 writes")])
def test_a_failover_tells_how_long_it_took_and_what_was_refused(stage: Stage, refusals: int, words: str) -> None:
    stage.refusals = refusals
    primary, replica = stage.shard_of(KEY)
    screen = take("failover", stage)
    assert screen.lines[0] == f"kill -9 of the primary on {primary.port}"
    assert f"served again after {0.05 * refusals:.1f} s by the promoted replica on {replica.port}" in screen.result
    assert screen.result.endswith(f"; {words} got an error meanwhile")
    assert "cluster-node-timeout of 2000 ms" in screen.lines[1]
    assert (primary.is_alive, stage.is_healthy) == (True, True)


def test_a_replica_that_is_not_promoted_fails_the_step(stage: Stage) -> None:
    stage.promotes = False
    port = stage.replica_of(KEY).port
    assert failure("failover", stage) == f"the replica on {port} was not promoted or does not have the write"


def test_a_failover_is_not_waited_for_without_end(stage: Stage) -> None:
    stage.refusals = 10**9
    assert failure("failover", stage) == "no write was answered within 30 s"
