"""How a command is cut: its keys by slot.

The Python form of ``fragments.pyx``. Redis Cluster refuses a cross-slot command even inside one shard, so the slot is
what a command is cut by. Keys are counted from 0 in the order of the command; a fragment's keys keep that order.
"""

from __future__ import annotations

from itertools import pairwise

from rproxy.commands.spec import CommandSpec
from rproxy.resp.wire import RequestScanner


class Fragments:
    """The ``count`` fragments of the scanned command, in the order in which their slots appear, and its ``keys``."""

    __slots__ = ("_keys", "_next", "_slots", "count", "keys")

    def __init__(self, spec: CommandSpec, scanner: RequestScanner) -> None:
        positions = range(spec.first_key, spec.last_key_of(scanner.argc) + 1, spec.key_step)
        by_slot: dict[int, list[int]] = {}
        for key, position in enumerate(positions):
            by_slot.setdefault(scanner.slot(position), []).append(key)
        self._slots = list(by_slot)
        self._keys = list(by_slot.values())
        self._next = [-1] * len(positions)
        for keys in self._keys:
            for key, following in pairwise(keys):
                self._next[key] = following
        self.count = len(by_slot)
        self.keys = len(positions)

    def slot(self, fragment: int) -> int:
        """The slot of all keys of ``fragment``. Raises ``IndexError``."""
        return self._slots[fragment]

    def size(self, fragment: int) -> int:
        """How many keys ``fragment`` has. Raises ``IndexError``."""
        return len(self._keys[fragment])

    def first(self, fragment: int) -> int:
        """The first key of ``fragment``. Raises ``IndexError``."""
        return self._keys[fragment][0]

    def next(self, key: int) -> int:
        """The key after ``key`` in its fragment, -1 after the last. Raises ``IndexError``."""
        return self._next[key]
