"""The same commands to one Redis and through rproxy, and the first replies that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random

from rproxy.topology.slots import hash_slot
from tests.conformance.corpus import Command
from tests.conformance.replies import is_same, parse
from tests.support.client import RawClient, pack

SPLIT = (b"DEL", b"EXISTS", b"MGET", b"MSET", b"TOUCH", b"UNLINK")
_BATCH = 100
_PIECES = (1, 2, 3, 7, 40, 200, 1500)

Send = Callable[[RawClient, Sequence[Command]], None]


def comparable(commands: Sequence[Command], direct: RawClient) -> list[Command]:
    """The commands that a cluster can execute: ``COMMAND GETKEYS`` finds their keys in one slot, or they are split."""
    found = direct.pipeline([(b"COMMAND", b"GETKEYS", *command) for command in commands])
    return [
        command
        for command, keys in zip(commands, found, strict=True)
        if command[0].upper() in SPLIT or len(_slots(keys)) < 2
    ]


def _slots(keys: bytes) -> set[int]:
    kind, elements = parse(keys)
    return {hash_slot(element) for _, element in elements} if kind == b"*" else set()


def whole(client: RawClient, commands: Sequence[Command]) -> None:
    """Send a pipeline at once."""
    client.send(b"".join(pack(*command) for command in commands))


def in_pieces(random: Random) -> Send:
    """Send a pipeline in pieces cut at random, some of its commands inline."""

    def send(client: RawClient, commands: Sequence[Command]) -> None:
        data = b"".join(inline(command, random) if random.random() < 0.2 else pack(*command) for command in commands)
        at = 0
        while at < len(data):
            size = random.choice(_PIECES)
            client.send(data[at : at + size])
            at += size

    return send


def inline(command: Command, random: Random) -> bytes:
    """A command as a person would type it, its words in quotes of a random kind."""
    return b" ".join(_quoted(word, random) for word in command) + random.choice((b"\r\n", b"\n"))


def _quoted(word: bytes, random: Random) -> bytes:
    if word.isalnum() and random.random() < 0.7:
        return word
    if word.isalnum() and random.random() < 0.5:
        return b"'%b'" % word
    return b'"%b"' % b"".join(b"\\x%02x" % byte for byte in word)


def compare(
    commands: Iterable[Command],
    direct: RawClient,
    through: RawClient,
    *,
    words_errors_alike: bool,
    send: Send = whole,
) -> None:
    """Send all commands both ways, in pipelines. Raises ``AssertionError`` at the first replies that differ."""
    earlier: list[Command] = []
    for batch in _batches(commands):
        whole(direct, batch)
        send(through, batch)
        for command in batch:
            expected, reply = direct.read_reply(), through.read_reply()
            if not words_errors_alike:
                expected, reply = _without_words(expected), _without_words(reply)
            assert is_same(command, expected, reply), _report(command, expected, reply, earlier)
            earlier.append(command)


def _batches(commands: Iterable[Command]) -> Iterator[list[Command]]:
    ordered = list(commands)
    return (ordered[start : start + _BATCH] for start in range(0, len(ordered), _BATCH))


def _without_words(reply: bytes) -> bytes:
    """An error without its text, another reply as it is."""
    return b"-ERR\r\n" if reply.startswith(b"-") else reply


def _report(command: Command, expected: bytes, reply: bytes, earlier: Sequence[Command]) -> str:
    keys = set(command[1:3])
    related = [other for other in earlier if keys.intersection(other[1:3])][-5:]
    before = "".join(f"\n  {_shown(other)}" for other in related)
    return (
        f"{_shown(command)}\none Redis: {expected[:600]!r}\nrproxy:    {reply[:600]!r}\n"
        f"it was number {len(earlier) + 1}; the last with one of its keys:{before}"
    )


def _shown(command: Command) -> str:
    return " ".join(repr(word)[1:] if len(word) < 100 else f"{word[:40]!r}..({len(word)})" for word in command)
