"""The queue of requests in flight: first in first out, and expiry leaves the order of replies alone."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from rproxy.metrics.counters import CommandStats
from rproxy.upstream.sink import DISCARD, Sink
from tests.support.forms import forms

each_form = pytest.mark.parametrize("module", forms("upstream.in_flight"), ids=lambda form: form.__name__)


@each_form
def test_entries_come_out_as_they_went_in(module: ModuleType) -> None:
    queue = module.InFlight()
    sinks = [Sink() for _ in range(300)]
    stats = CommandStats()
    for number, sink in enumerate(sinks):
        queue.push(sink, number, stats, number + 1, float(number), number % 16384 - 1, number % 2 == 0, number % 5, 1)
        if number % 3 == 0:
            assert queue.pop()
    shown = []
    while queue.pop():
        shown.append(queue.token)
        assert queue.sink is sinks[queue.token]
        assert queue.stats is stats
        assert (queue.size, queue.started) == (queue.token + 1, float(queue.token))
        assert (queue.slot, queue.is_read, queue.hops) == (queue.token - 1, queue.token % 2 == 0, queue.token % 5)
    assert shown == list(range(100, 300))
    assert queue.count() == 0
    assert not queue.pop()


@each_form
def test_expired_entries_keep_their_turn_but_lose_their_sink(module: ModuleType) -> None:
    queue = module.InFlight()
    first, second = Sink(), Sink()
    queue.push(first, 1, None, 10, 1.0, 0, True, 0, 1)
    queue.push(second, 2, None, 20, 5.0, 0, True, 0, 1)
    assert queue.expire(3.0) == [(first, 1, None)]
    assert queue.expire(3.0) == []
    assert queue.pop()
    assert (queue.sink, queue.size) == (DISCARD, 10)
    assert queue.pop()
    assert queue.sink is second


@each_form
def test_it_knows_the_slots_in_flight(module: ModuleType) -> None:
    queue = module.InFlight()
    for slot in (5, 7):
        queue.push(Sink(), 0, None, 1, 0.0, slot, True, 0, 1)
    assert [queue.has_slot(slot) for slot in (5, 6, 7)] == [True, False, True]
    assert queue.slots() == {5, 7}
    queue.pop()
    assert [queue.has_slot(slot) for slot in (5, 7)] == [False, True]


@each_form
def test_references_are_given_back(module: ModuleType) -> None:
    sink, stats = Sink(), CommandStats()
    before = sys.getrefcount(sink), sys.getrefcount(stats)
    queue = module.InFlight()
    for number in range(200):
        queue.push(sink, number, stats, 1, float(number), 0, True, 0, 1)
    queue.expire(50.0)
    for _ in range(100):
        queue.pop()
    del queue
    assert (sys.getrefcount(sink), sys.getrefcount(stats)) == before


@each_form
def test_a_unit_is_popped_with_the_last_of_its_replies(module: ModuleType) -> None:
    queue, unit, after = module.InFlight(), Sink(), Sink()
    queue.push(unit, 7, None, 10, 1.0, 0, False, 0, 3)
    queue.push(after, 8, None, 10, 1.0, 0, False, 0, 1)
    assert [queue.answer(), queue.answer(), queue.sink is unit, queue.count()] == [2, 1, True, 2]
    assert (queue.answer(), queue.token, queue.replies, queue.count()) == (0, 7, 3, 1)
    assert (queue.answer(), queue.sink is after, queue.answer()) == (0, True, -1)


@each_form
def test_a_unit_answered_in_part_is_popped_whole(module: ModuleType) -> None:
    queue = module.InFlight()
    for token in range(2):
        queue.push(Sink(), token, None, 10, 1.0, 0, False, 0, 2)
    assert queue.answer() == 1
    assert (queue.pop(), queue.token, queue.replies) == (True, 0, 2)
    assert (queue.answer(), queue.answer(), queue.token) == (1, 0, 1)


class Waiting(Sink):
    """What a session with an affinity waits for."""

    def __init__(self, affinity: int) -> None:
        self._affinity = affinity

    def affinity(self) -> int:
        return self._affinity


@each_form
def test_the_oldest_can_be_looked_at(module: ModuleType) -> None:
    queue = module.InFlight()
    assert queue.peek() is None
    unit, single = Sink(), Sink()
    queue.push(unit, 6, None, 1, 0.0, 0, True, 0, 3)
    queue.push(single, 7, None, 1, 0.0, 0, True, 0, 1)
    assert queue.peek() is None
    queue.pop()
    assert queue.peek() is single
    assert (queue.token, queue.count()) == (7, 1)


@each_form
def test_it_knows_the_sessions_that_wait(module: ModuleType) -> None:
    queue = module.InFlight()
    for sink in (Waiting(4), DISCARD, Waiting(6), Waiting(4)):
        queue.push(sink, 0, None, 1, 0.0, 0, True, 0, 1)
    assert queue.affinities() == {4, 6}
    assert [queue.has_affinity(affinity) for affinity in (4, 5, 6)] == [True, False, True]
    for _ in range(3):
        queue.pop()
    assert queue.affinities() == {4}
    assert not queue.has_affinity(6)


@each_form
def test_time_can_be_taken_out_of_every_deadline(module: ModuleType) -> None:
    queue = module.InFlight()
    for started in (1.0, 5.0, 8.0):
        queue.push(Waiting(2), 0, None, 1, started, 0, True, 0, 1)
    queue.postpone(4.0, 9.0)
    shown = []
    while queue.pop():
        shown.append(queue.started)
    assert shown == [6.0, 9.0, 9.0]
