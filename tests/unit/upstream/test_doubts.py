"""Who was refused and overtaken: told by the replies to what was in flight behind."""

from __future__ import annotations

from rproxy.upstream.doubts import Doubts
from rproxy.upstream.sink import Sink


class Client(Sink):
    """The sink of a session."""

    def __init__(self, affinity: int) -> None:
        self._affinity = affinity

    def affinity(self) -> int:
        return self._affinity


ONE, OTHER = Client(2), Client(4)


def test_what_is_executed_behind_has_overtaken_those_of_its_client_and_slot_alone() -> None:
    doubts = Doubts()
    own, of_other_slot, of_other_client = (
        doubts.add(slot, sink, False, 9) for slot, sink in ((1, ONE), (2, ONE), (1, OTHER))
    )
    doubts.on_answered(1, ONE, False, is_executed=True)
    assert (own.is_overtaken, own.is_open) == (True, False)
    assert [(each.is_overtaken, each.is_open) for each in (of_other_slot, of_other_client)] == [(False, True)] * 2


def test_what_is_refused_behind_has_overtaken_nobody() -> None:
    doubts = Doubts()
    doubt = doubts.add(1, ONE, False, 2)
    assert not doubts.on_answered(1, ONE, False, is_executed=False)
    assert doubt.is_open
    assert doubts.on_answered(1, ONE, False, is_executed=False)
    assert (doubt.is_overtaken, doubt.is_open) == (False, False)


def test_it_is_known_when_all_that_was_in_flight_behind_the_last_refusal_has_been_answered() -> None:
    doubts = Doubts()
    first = doubts.add(1, ONE, False, 1)
    second = doubts.add(2, ONE, False, 2)
    assert not doubts.on_answered(3, OTHER, False, is_executed=True)
    assert (first.is_open, second.is_open) == (True, True)
    assert doubts.on_answered(3, OTHER, False, is_executed=True)
    assert (first.is_open, second.is_open) == (False, False)


def test_who_is_refused_after_it_was_executed_for_others_is_in_a_doubt_of_its_own() -> None:
    doubts = Doubts()
    first = doubts.add(1, ONE, False, 3)
    doubts.on_answered(1, ONE, False, is_executed=True)
    second = doubts.add(1, ONE, False, 1)
    doubts.on_answered(3, OTHER, False, is_executed=True)
    assert (first.is_overtaken, second.is_overtaken) == (True, False)


def test_with_the_connection_every_doubt_ends() -> None:
    doubts = Doubts()
    executed, refused = doubts.add(1, ONE, False, 2), doubts.add(2, ONE, False, 1)
    doubts.on_executed(1, ONE, False)
    doubts.settle()
    assert [(each.is_overtaken, each.is_open) for each in (executed, refused)] == [(True, False), (False, False)]


def test_a_read_has_overtaken_writes_and_a_write_both() -> None:
    seen = []
    for is_read in (True, False):
        doubts = Doubts()
        read, write = doubts.add(1, ONE, True, 2), doubts.add(1, ONE, False, 1)
        doubts.on_answered(1, ONE, is_read, is_executed=True)
        seen.append((read.is_overtaken, write.is_overtaken))
    assert seen == [(False, True), (True, True)]
