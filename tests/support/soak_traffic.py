"""What the clients of the soak do: a kind of traffic for every number, and what is right for each.

Every value names its key and number, so that a reply that belongs to someone else is seen as such.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.support.load import Command, Entry, Pipeline, Round, Wrong

BIG = 200_000
"""Bytes that a big value has more than others."""
_NUMBER = re.compile(rb"=\d+")
_SCRIPT = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])"


class AnyCount:
    """Equals every whole number: a reply of which only the kind is known."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int)

    def __hash__(self) -> int:
        return 0


def value_of(key: str, number: int) -> str:
    """What a key holds after the write of a number."""
    return f"{key}={number}"


def _pipeline(key: str, number: int) -> list[Pipeline]:
    made: Pipeline = []
    for index in range(20):
        value = value_of(key, number * 100 + index)
        made += [(("SET", f"{key}:p", value), b"OK"), (("GET", f"{key}:p"), value.encode())]
    return [made]


def _split(key: str, number: int) -> list[Pipeline]:
    names = [f"{key}:{index}" for index in range(12)]
    values = [value_of(name, number) for name in names]
    pairs = [word for pair in zip(names, values, strict=True) for word in pair]
    return [[(("MSET", *pairs), b"OK")], [(("MGET", *names), [value.encode() for value in values])]]


def _transaction(key: str, number: int) -> list[Pipeline]:
    name, value = f"{key}:t", value_of(key, number)
    queued: list[Command] = [("SET", name, value), ("GET", name)]
    return [
        [(("WATCH", name), b"OK")],
        [
            (("MULTI",), b"OK"),
            *((command, b"QUEUED") for command in queued),
            (("EXEC",), [b"OK", value.encode()]),
        ],
    ]


def _blocking(key: str, number: int) -> list[Pipeline]:
    name, value = f"{key}:l:{number}", value_of(key, number)
    return [[(("RPUSH", name, value), 1)], [(("BLPOP", name, "1"), [name.encode(), value.encode()])]]


def _script(key: str, number: int) -> list[Pipeline]:
    value = value_of(key, number)
    return [[(("EVAL", _SCRIPT, "1", f"{key}:s", value), value.encode())]]


def _big(key: str, number: int) -> list[Pipeline]:
    value = value_of(key, number) + "x" * BIG
    return [[(("SET", f"{key}:b", value), b"OK"), (("GET", f"{key}:b"), value.encode())]]


def _subscription(key: str, number: int) -> list[Pipeline]:
    channel = f"{key}:c:{number}"
    return [
        [(("SUBSCRIBE", channel), [b"subscribe", channel.encode(), 1])],
        [(("UNSUBSCRIBE", channel), [b"unsubscribe", channel.encode(), 0])],
        [(("PUBLISH", channel, "nobody"), AnyCount())],
    ]


def _counter(key: str, number: int) -> list[Pipeline]:
    return [[(("INCR", counter_of(key)), AnyCount())]]


KINDS: tuple[Round, ...] = (_pipeline, _split, _transaction, _blocking, _script, _big, _subscription, _counter)
"""The kinds of traffic beside plain writes and reads, which every round has too."""


def counter_of(key: str) -> str:
    """The name of the counter that ``INCR`` of a key's client adds to."""
    return f"{key}:n"


def mixed(key: str, number: int) -> list[Pipeline]:
    """A plain write and read, then one of ``KINDS``."""
    value = value_of(key, number)
    plain: Pipeline = [(("SET", key, value), b"OK"), (("GET", key), value.encode())]
    return [plain, *KINDS[number % len(KINDS)](key, number)]


def is_unwatched(wrong: Wrong) -> bool:
    """Whether a transaction was not executed, as if a watched key had changed: its slot moved, or its node was lost."""
    return wrong.command == ("EXEC",) and wrong.got is None


def is_old(wrong: Wrong) -> bool:
    """Whether a wrong reply is what its own key held before, or nothing: a write that a new primary never had."""
    return _is_older(wrong.wanted, wrong.got)


def _is_older(wanted: object, got: object) -> bool:
    if got is None or got == wanted:
        return True
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        return all(_is_older(*pair) for pair in zip(wanted, got, strict=True))
    if isinstance(wanted, bytes) and isinstance(got, bytes):
        if wanted.isdigit() and got.isdigit():
            return int(got) < int(wanted)
        return b"=" in wanted and _NUMBER.sub(b"=", wanted) == _NUMBER.sub(b"=", got)
    return False


def added(entries: Sequence[Entry]) -> dict[str, tuple[int, int]]:
    """By key, how many of its ``INCR`` were acknowledged, and how many may have been executed beside them."""
    found: dict[str, tuple[int, int]] = {}
    for entry in entries:
        if entry.command == "INCR":
            sure, maybe = found.get(entry.key, (0, 0))
            found[entry.key] = (sure + (not entry.error), maybe + bool(entry.error))
    return found
