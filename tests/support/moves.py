"""Tables of legal moves, and what is seen of them by driving something through all that can happen to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TypeVar

State = TypeVar("State", bound=Enum)
LENGTH = 4
"""Happenings in a row."""

Happenings = Mapping[str, Callable[[], object]]


def moves_of(table: Mapping[State, frozenset[State]]) -> set[tuple[State, State]]:
    """The moves of a table, each from where to where."""
    return {(before, after) for before, targets in table.items() for after in targets}


def reachable(table: Mapping[State, frozenset[State]], first: State) -> set[State]:
    """Where the moves of a table lead to from ``first``, that itself included."""
    found, left = {first}, [first]
    while left:
        fresh = table[left.pop()] - found
        found |= fresh
        left += fresh
    return found


def walk(make: Callable[[], tuple[Callable[[], State], Happenings]]) -> set[tuple[State, State]]:
    """The moves that are seen when everything happens in every order.

    ``make`` gives something new each time: how to read its state, and what can happen to it.
    """
    seen: set[tuple[State, State]] = set()
    _, names = make()
    for order in itertools.product(names, repeat=LENGTH):
        state, happenings = make()
        for name in order:
            before = state()
            happenings[name]()
            if state() is not before:
                seen.add((before, state()))
    return seen
