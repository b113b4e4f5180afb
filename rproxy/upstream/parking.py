"""Requests that wait for an endpoint: bounded, in order, each until its deadline."""

from __future__ import annotations

from collections import Counter

from rproxy.upstream.request import Request


class Parking:
    """A bounded waiting line. Who waits for a slot is followed by everyone later of the same slot, so order is kept."""

    __slots__ = ("_line", "_slots", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._line: list[Request] = []
        self._slots: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._line)

    def holds(self, slot: int) -> bool:
        """Whether a request of ``slot`` waits."""
        return self._slots[slot] > 0

    def add(self, request: Request) -> bool:
        """Let ``request`` wait; false if the line is full."""
        if len(self._line) >= self.most:
            return False
        self._line.append(request)
        self._slots[request.slot] += 1
        return True

    def leave(self, now: float, expired_before: float) -> tuple[list[Request], list[Request]]:
        """Take out those that are due, in order, and those begun before ``expired_before``: ``(due, expired)``.

        A request that is not due keeps back the later ones of its slot.
        """
        due: list[Request] = []
        expired: list[Request] = []
        staying: list[Request] = []
        held: set[int] = set()
        for request in self._line:
            if request.started < expired_before:
                expired.append(request)
            elif request.not_before > now or request.slot in held:
                held.add(request.slot)
                staying.append(request)
            else:
                due.append(request)
        self._line = staying
        self._slots = Counter(request.slot for request in staying)
        return due, expired

    def clear(self) -> list[Request]:
        """Take out everyone."""
        line, self._line = self._line, []
        self._slots.clear()
        return line
