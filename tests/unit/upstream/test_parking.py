"""Parked requests: bounded, due when their time has come, and in order within a slot."""

from __future__ import annotations

from rproxy.upstream.parking import Parking
from rproxy.upstream.request import Request
from rproxy.upstream.sink import DISCARD


def request(slot: int, *, started: float = 0.0, not_before: float = 0.0) -> Request:
    return Request(b"x", DISCARD, 0, None, slot, False, 0, started, not_before=not_before)


def test_the_line_is_bounded() -> None:
    parking = Parking(2)
    assert [parking.add(request(1)) for _ in range(3)] == [True, True, False]
    assert len(parking) == 2


def test_a_request_that_is_not_due_keeps_back_its_slot_alone() -> None:
    parking = Parking(10)
    first, second, other = request(1, not_before=5.0), request(1), request(2)
    for waiting in (first, second, other):
        parking.add(waiting)
    assert parking.leave(1.0, -1.0) == ([other], [])
    assert parking.holds(1)
    assert not parking.holds(2)
    assert parking.leave(5.0, -1.0) == ([first, second], [])
    assert not parking.holds(1)


def test_requests_past_their_deadline_are_told_apart() -> None:
    parking = Parking(10)
    old, young = request(1, started=1.0), request(1, started=9.0)
    parking.add(old)
    parking.add(young)
    assert parking.leave(10.0, 5.0) == ([young], [old])


def test_clear_takes_everyone_out() -> None:
    parking = Parking(10)
    waiting = request(1)
    parking.add(waiting)
    assert parking.clear() == [waiting]
    assert (len(parking), parking.holds(1)) == (0, False)
