"""Parked requests: bounded, due when their time has come, and in order within a slot."""

from __future__ import annotations

from rproxy.upstream.doubts import Doubt
from rproxy.upstream.in_flight import InFlight
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


def test_all_can_be_made_due_at_once() -> None:
    parking = Parking(10)
    waiting = [request(1, not_before=5.0), request(1), request(2, not_before=9.0)]
    for each in waiting:
        parking.add(each)
    assert parking.leave(1.0, -1.0) == ([], [])
    parking.hurry()
    assert parking.leave(1.0, -1.0) == (waiting, [])


def test_requests_past_their_deadline_are_told_apart() -> None:
    parking = Parking(10)
    old, young = request(1, started=1.0), request(1, started=9.0)
    parking.add(old)
    parking.add(young)
    assert parking.leave(10.0, 5.0) == ([young], [old])


def test_a_slot_whose_earlier_requests_are_to_come_back_waits_for_them() -> None:
    parking, flight = Parking(10), InFlight()
    flight.push(DISCARD, 0, None, 1, 0.0, 1, False, 0, 1)
    parking.trail(1, flight, 9.0)
    first, other = request(1), request(2)
    for waiting in (first, other):
        parking.add(waiting)
    assert parking.leave(5.0, -1.0) == ([other], [])
    assert parking.holds(1)
    flight.pop()
    assert parking.leave(6.0, -1.0) == ([first], [])
    assert not parking.is_needed


def test_who_is_due_takes_along_the_later_ones_of_its_slot() -> None:
    parking = Parking(10)
    first, second, other = request(1), request(1, not_before=5.0), request(2, not_before=5.0)
    for waiting in (first, second, other):
        parking.add(waiting)
    assert parking.leave(4.0, -1.0) == ([first, second], [])
    assert (parking.holds(1), parking.holds(2)) == (False, True)


def test_who_comes_back_goes_before_later_ones_of_its_slot() -> None:
    parking = Parking(10)
    other, late, early = request(2, started=1.0), request(1, started=3.0), request(1, started=2.0)
    for waiting in (other, late, early):
        parking.add(waiting)
    assert parking.leave(5.0, -1.0) == ([other, early, late], [])


def test_who_comes_back_goes_before_who_came_at_the_same_moment_and_was_never_sent() -> None:
    parking = Parking(10)
    new, back, back_too = request(1), request(1), request(1)
    back.was_sent = back_too.was_sent = True
    for waiting in (new, back, back_too):
        parking.add(waiting)
    (due, _) = parking.leave(5.0, -1.0)
    assert [id(each) for each in due] == [id(back), id(back_too), id(new)]


def test_a_slot_waits_for_every_connection_of_its_former_owner() -> None:
    parking, flights = Parking(10), [InFlight(), InFlight()]
    for flight in flights:
        flight.push(DISCARD, 0, None, 1, 0.0, 1, False, 0, 1)
        parking.trail(1, flight, 9.0)
    for flight in flights:
        parking.leave(5.0, -1.0)
        assert parking.holds(1)
        flight.pop()
    parking.leave(5.0, -1.0)
    assert not parking.holds(1)


def test_earlier_requests_are_not_waited_for_for_ever() -> None:
    parking, flight = Parking(10), InFlight()
    flight.push(DISCARD, 0, None, 1, 0.0, 1, False, 0, 1)
    parking.trail(1, flight, 9.0)
    assert (parking.is_needed, parking.holds(1), len(parking)) == (True, True, 0)
    assert parking.leave(9.0, -1.0) == ([], [])
    assert not parking.is_needed


def test_a_slot_waits_until_it_is_known_whether_one_of_it_was_overtaken() -> None:
    parking = Parking(10)
    overtaken, refused, new, other = request(1), request(1), request(1), request(2)
    overtaken.doubt, refused.doubt = Doubt(), Doubt()
    for waiting in (overtaken, refused, new, other):
        parking.add(waiting)
    due, over = parking.leave(1.0, -1.0)
    assert ([id(each) for each in due], over) == ([id(other)], [])
    overtaken.doubt.is_overtaken = True
    overtaken.doubt.is_open = refused.doubt.is_open = False
    due, over = parking.leave(1.0, -1.0)
    assert ([id(each) for each in due], [id(each) for each in over]) == ([id(refused), id(new)], [id(overtaken)])


def test_clear_takes_everyone_out() -> None:
    parking = Parking(10)
    waiting = request(1)
    parking.add(waiting)
    assert parking.clear() == [waiting]
    assert (len(parking), parking.holds(1)) == (0, False)
