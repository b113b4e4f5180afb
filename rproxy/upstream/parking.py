"""Requests that wait for an endpoint: bounded, in order, each until its deadline."""

from __future__ import annotations

from bisect import insort
from collections import Counter

from rproxy.upstream.in_flight import InFlight
from rproxy.upstream.request import Request

TRAIL_MOST = 1.0
"""Seconds that requests of a slot wait for those before them that its former owner has yet to redirect."""


def _order(request: Request) -> tuple[float, bool]:
    return request.started, not request.was_sent  # all that come in one turn start at once


class Parking:
    """A bounded waiting line. Who waits for a slot is followed by everyone later of the same slot, so order is kept.

    Who was sent before others, and comes back, goes before them; who was overtaken by them is sent no more.
    """

    __slots__ = ("_line", "_slots", "_trails", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._line: list[Request] = []
        self._slots: Counter[int] = Counter()
        self._trails: dict[int, dict[InFlight, float]] = {}

    def __len__(self) -> int:
        return len(self._line)

    @property
    def is_needed(self) -> bool:
        """Whether requests may have to wait for others."""
        return bool(self._line or self._trails)

    def holds(self, slot: int) -> bool:
        """Whether a request of ``slot`` waits, or comes back from a former owner of the slot."""
        return self._slots[slot] > 0 or slot in self._trails

    def trail(self, slot: int, in_flight: InFlight, until: float) -> None:
        """Let requests of ``slot`` wait while others are ``in_flight`` at its former owner, which redirects them."""
        self._trails.setdefault(slot, {}).setdefault(in_flight, until)

    def add(self, request: Request) -> bool:
        """Let ``request`` wait; false if the line is full."""
        if len(self._line) >= self.most:
            return False
        insort(self._line, request, key=_order)
        self._slots[request.slot] += 1
        return True

    def hurry(self) -> None:
        """Let everyone be due at once."""
        for request in self._line:
            request.not_before = 0.0

    def leave(self, now: float, expired_before: float) -> tuple[list[Request], list[Request]]:
        """Take out those that are due, in order, and those that were overtaken or begun before ``expired_before``.

        A request that is not due keeps back the later ones of its slot, one that is due takes them along: sent a little
        behind it, they might be executed though it is sent back once more.
        """
        due: list[Request] = []
        over: list[Request] = []
        staying: list[Request] = []
        trails = {
            slot: {flight: until for flight, until in flights.items() if until > now and flight.has_slot(slot)}
            for slot, flights in self._trails.items()
        }
        self._trails = {slot: flights for slot, flights in trails.items() if flights}
        held = set(self._trails)
        leaving: set[int] = set()
        for request in self._line:
            doubt = request.doubt
            if request.started < expired_before:
                over.append(request)
            elif (
                request.slot in held
                or (request.not_before > now and request.slot not in leaving)
                or (doubt is not None and doubt.is_open)
            ):
                held.add(request.slot)
                staying.append(request)
            elif doubt is not None and doubt.is_overtaken:
                over.append(request)
            else:
                leaving.add(request.slot)
                due.append(request)
        self._line = staying
        self._slots = Counter(request.slot for request in staying)
        return due, over

    def clear(self) -> list[Request]:
        """Take out everyone."""
        line, self._line = self._line, []
        self._slots.clear()
        self._trails.clear()
        return line
