"""The marks of shards, which outlive failovers and moved slots."""

from __future__ import annotations

from rproxy.topology.shard_tags import CHECK_BITS, TAG_BITS, marks_of, tags_after
from rproxy.topology.slots import SLOT_COUNT
from rproxy.topology.snapshot import Endpoint, Shard, Topology

A, B, C, R = (Endpoint("10.0.0.1", port) for port in (1, 2, 3, 4))


def topology(*shards: Shard) -> Topology:
    return Topology(shards, tuple(slot * len(shards) // SLOT_COUNT for slot in range(SLOT_COUNT)))


def test_a_shard_keeps_its_tag_when_a_replica_takes_over() -> None:
    before = tags_after({}, topology(Shard(A, (R,)), Shard(B)))
    after = tags_after(before, topology(Shard(R), Shard(B)))
    assert after[R] == before[A]
    (was,), (now,) = marks_of(before, [A]), marks_of(after, [R])
    assert was.tag == now.tag
    assert was.check != now.check


def test_it_keeps_it_when_the_failover_is_learned_slot_by_slot() -> None:
    first = topology(Shard(A, (R,)), Shard(B))
    before = tags_after({}, first)
    moved = tags_after(before, first.with_slot_moved(0, R))
    assert moved[R] == before[A]
    assert tags_after(moved, topology(Shard(R, (A,)), Shard(B)))[R] == before[A]


def test_moved_slots_and_new_shards_change_no_tag() -> None:
    before = tags_after({}, topology(Shard(A), Shard(B)))
    after = tags_after(before, topology(Shard(C), Shard(B), Shard(A)))
    assert (after[A], after[B]) == (before[A], before[B])


def test_a_replica_that_changes_sides_does_not_take_the_tag_along() -> None:
    before = tags_after({}, topology(Shard(A, (R,)), Shard(B)))
    after = tags_after(before, topology(Shard(A), Shard(B, (R,))))
    assert after == {A: before[A], B: before[B], R: before[B]}


def test_marks_are_the_same_everywhere_and_never_alike() -> None:
    primaries = [Endpoint("10.0.0.1", port) for port in range(1, 5000)]
    tags = dict.fromkeys(primaries, 7)
    marks = marks_of(tags, primaries[:200])
    assert len(marks) == 200
    assert marks == marks_of(tags, reversed(primaries[:200]))
    real = tags_after({}, Topology(tuple(map(Shard, primaries)), (0,) * SLOT_COUNT))
    assert all(0 < tag < 1 << TAG_BITS for tag in real.values())
    assert all(0 < mark.check < 1 << CHECK_BITS for mark in marks_of(real, primaries[:200]))
