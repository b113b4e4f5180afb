"""Micro benchmarks of the hot modules, alone and without input or output: nanoseconds for each thing done.

They run the form that is installed, or the Python form with ``RPROXY_PURE=1``. Called from Python, a compiled function
pays for the call, which it does not when compiled code calls it: the figures serve to compare one change with another.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from timeit import Timer

from rproxy.resp import encode, wire

_REPEATS = 5
_KEY = b"small:000000012345"
_VALUE = b"x" * 32
_GET = encode.command([b"GET", _KEY])
_SET = encode.command([b"SET", _KEY, _VALUE])
_MGET = encode.command([b"MGET", *[b"small:%012d" % number for number in range(100)]])


@dataclass(frozen=True)
class Micro:
    """One micro benchmark: ``prepare`` makes a call that does ``count`` things."""

    name: str
    count: int
    prepare: Callable[[], Callable[[], None]]


def measure(micro: Micro) -> float:
    """Nanoseconds for each thing: the least of some repeats, since noise only adds."""
    timer = Timer(micro.prepare())
    loops, _ = timer.autorange()
    gc.collect()
    return min(timer.repeat(_REPEATS, loops)) / loops / micro.count * 1e9


def lines() -> Iterator[str]:
    """A line for each micro benchmark, as it is measured."""
    for micro in MICROS:
        yield f"{micro.name:40} {measure(micro):10,.0f} ns"


def _scan(commands: bytes) -> Callable[[], Callable[[], None]]:
    """Scan a chunk of commands with one key, or one command with several, and compute the slot of the first key."""

    def prepare() -> Callable[[], None]:
        scanner = wire.RequestScanner()
        size = len(commands)

        def scan() -> None:
            start = 0
            while start < size and scanner.next(commands, start, size) == wire.COMMAND:
                scanner.slot(1)
                start += scanner.consumed

        return scan

    return prepare


def _frame(replies: bytes) -> Callable[[], Callable[[], None]]:
    """Find where each reply of a chunk ends."""

    def prepare() -> Callable[[], None]:
        scanner = wire.ReplyScanner()
        size = len(replies)

        def frame() -> None:
            start = 0
            while start < size:
                start += scanner.next(replies, start, size)

        return frame

    return prepare


def _hash() -> Callable[[], None]:
    def hash_one() -> None:
        wire.hash_slot(_KEY)

    return hash_one


MICROS = (
    Micro("scan GET, pipeline 16: command and slot", 16, _scan(_GET * 16)),
    Micro("scan SET 32 B, pipeline 16", 16, _scan(_SET * 16)),
    Micro("scan MGET of 100 keys", 1, _scan(_MGET)),
    Micro("frame a bulk string of 32 B, 16 replies", 16, _frame(encode.bulk(_VALUE) * 16)),
    Micro("frame an array of 100 bulk strings", 1, _frame(encode.array([encode.bulk(_VALUE)] * 100))),
    Micro("hash slot of a key of 18 bytes", 1, _hash),
)
