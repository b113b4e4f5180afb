"""Commands whose answer took long, as Redis's SLOWLOG has them: seen from rproxy, the node's time and the way there."""

from __future__ import annotations

import itertools
import math
import time
from collections import deque
from dataclasses import dataclass

from rproxy.resp.wire import COMMAND, RequestScanner
from rproxy.upstream.sink import Discard, Sink

ARGUMENTS_MOST = 32
ARGUMENT_SIZE_MOST = 128
"""So much of a command is kept (``slowlog.h``); the last kept argument says how many there were beyond."""
APART = 0.001
"""Seconds at least between two entries of a worker."""
SHOWN_MOST = 64 * 1024
"""Bytes of a request that are looked at."""
_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class SlowCommand:
    """One entry: a Unix time in seconds, microseconds it took, and who asked."""

    number: int
    time: int
    microseconds: int
    args: list[bytes]
    address: str
    name: bytes


class SlowLog:
    """The slowest commands lately; ``slower_than`` is in seconds, infinite if nothing is to be noted."""

    __slots__ = ("_quiet_until", "entries", "slower_than")

    def __init__(self, slower_than: float = math.inf, most: int = 128) -> None:
        self.slower_than = slower_than
        self._quiet_until = 0.0
        self.entries: deque[SlowCommand] = deque(maxlen=most)

    def has_time(self, now: float) -> bool:
        """Whether to note a command at ``now``, in seconds: under overload all are slow, and noting them costs."""
        if now < self._quiet_until:
            return False
        self._quiet_until = now + APART
        return True

    def note(self, data: bytes, sink: Sink, seconds: float) -> None:
        """Keep a request that took ``seconds``, unless it is nobody's."""
        if isinstance(sink, Discard):
            return
        address, name = sink.asker()
        args = cut(arguments_of(data))
        self.entries.appendleft(
            SlowCommand(next(_NUMBERS), int(time.time()), int(seconds * 1_000_000), args, address, name)
        )

    def resize(self, most: int) -> None:
        """Keep so many entries from now on."""
        self.entries = deque(self.entries, maxlen=most)


def slower_than(setting: float | None) -> float:
    """The least time, in seconds, of what is noted: ``None`` is never."""
    return math.inf if setting is None else setting


def arguments_of(data: bytes) -> list[bytes]:
    """The arguments of a request, as far as they are in ``data``."""
    scanner = RequestScanner()
    if scanner.next(data, 0, len(data)) == COMMAND:
        return scanner.args()
    return [data[:ARGUMENT_SIZE_MOST]]


def cut(args: list[bytes]) -> list[bytes]:
    """What is kept of ``args``, in the words of ``slowlogCreateEntry``."""
    shown = args
    if len(args) > ARGUMENTS_MOST:
        more = len(args) - ARGUMENTS_MOST + 1
        shown = [*args[: ARGUMENTS_MOST - 1], b"... (%d more arguments)" % more]
    return [
        argument
        if len(argument) <= ARGUMENT_SIZE_MOST
        else b"%b... (%d more bytes)" % (argument[:ARGUMENT_SIZE_MOST], len(argument) - ARGUMENT_SIZE_MOST)
        for argument in shown
    ]
