"""Clients that go on while something breaks, verify every reply, and write down what they were told.

Every key has one client alone, so what a read must give is known: the value of the last acknowledged write, or of one
after it that may have been executed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import hiredis

from tests.support.background import Background

Command = tuple[str, ...]
Pipeline = list[tuple[Command, Any]]
"""What a client sends at once: commands, each with the reply that is right."""
Round = Callable[[str, int], list[Pipeline]]
"""The pipelines that a client sends one after the other for a key and a number."""
MAYBE = "may have been executed"
"""The words of an error after which a write may be there or not."""


def set_and_get(key: str, number: int) -> list[Pipeline]:
    """One write and one read, in one pipeline."""
    return [[(("SET", key, str(number)), b"OK"), (("GET", key), b"%d" % number)]]


def add_and_look(key: str, number: int) -> list[Pipeline]:
    """One write that no later one covers, so that a missing one shows in the end, and one read."""
    return [[(("SADD", key, str(number)), 1), (("SISMEMBER", key, str(number)), 1)]]


def several_keys(key: str, number: int) -> list[Pipeline]:
    """Commands of several keys of one slot, and one of one key."""
    first, second, value = f"{{{key}}}a", f"{{{key}}}b", str(number)
    said = value.encode()
    return [
        [(("MSET", first, value, second, value), b"OK")],
        [(("MGET", second, first), [said, said])],
        [(("SET", key, value), b"OK"), (("EXISTS", key, first, second), 3)],
    ]


def many_keys(key: str, number: int) -> list[Pipeline]:
    """Commands of several keys of one slot, and a transaction."""
    first, second, value = f"{{{key}}}a", f"{{{key}}}b", str(number)
    said = value.encode()
    transaction: Pipeline = [
        (("MULTI",), b"OK"),
        (("SET", key, value), b"QUEUED"),
        (("GET", first), b"QUEUED"),
        (("EXEC",), [b"OK", said]),
    ]
    return [
        [(("MSET", first, value, second, value), b"OK")],
        [(("MGET", first, second), [said, said])],
        transaction,
        [(("GET", key), said)],
    ]


@dataclass(frozen=True)
class Entry:
    """A command and what came of it. ``error`` is what the server said, empty if the reply was no error."""

    key: str
    number: int
    command: str
    began: float
    ended: float
    error: str

    @property
    def latency(self) -> float:
        """Seconds until its reply."""
        return self.ended - self.began


@dataclass(frozen=True)
class Wrong:
    """A reply that was neither right nor an error."""

    key: str
    command: Command
    wanted: Any
    got: Any
    at: float
    """When it came."""


@dataclass
class Journal:
    """What all clients were told, in the order in which it came."""

    entries: list[Entry] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)
    acknowledged: dict[str, tuple[int, float]] = field(default_factory=dict)
    """The last number written to each key, and when that was acknowledged."""
    broken: list[str] = field(default_factory=list)
    """Connections that were closed or gave nonsense, in words."""

    def errors(self, keys: Sequence[str] | None = None) -> list[Entry]:
        """The errors, of all keys or of some."""
        chosen = None if keys is None else set(keys)
        return [entry for entry in self.entries if entry.error and (chosen is None or entry.key in chosen)]

    def worst_latency(self, keys: Sequence[str], since: float, until: float) -> float:
        """The longest wait among the commands of ``keys`` that ended in a span of time."""
        return self.latency(keys, since, until, share=1.0)

    def latency(self, keys: Sequence[str], since: float, until: float, share: float = 0.99) -> float:
        """The wait that ``share`` of the commands of ``keys`` did not exceed that ended in a span of time."""
        chosen = set(keys)
        waits = sorted(e.latency for e in list(self.entries) if e.key in chosen and since <= e.ended <= until)
        return waits[min(int(share * len(waits)), len(waits) - 1)] if waits else 0.0

    def first_success(self, keys: Sequence[str], since: float) -> float | None:
        """When a command of ``keys`` first succeeded that was sent or answered after ``since``."""
        chosen = set(keys)
        return next((e.ended for e in list(self.entries) if e.key in chosen and e.ended > since and not e.error), None)


class Load(Background):
    """A client for each list of keys, which it uses in turn; ``pause`` is the time between two rounds.

    A client whose connection breaks is gone, or comes back with a new one where it ``returns``.
    """

    def __init__(
        self,
        port: int,
        keys: Sequence[Sequence[str]],
        made: Round = set_and_get,
        *,
        pause: float = 0.002,
        returns: bool = False,
    ) -> None:
        super().__init__()
        self.journal = Journal()
        self._port = port
        self._keys = keys
        self._round = made
        self._pause = pause
        self._returns = returns
        self._is_ending = False
        self._clients: list[asyncio.Task[None]] = []

    async def on_start(self) -> None:
        """Connect everyone and begin."""
        streams = [await asyncio.open_connection("127.0.0.1", self._port) for _ in self._keys]
        self._clients = [
            asyncio.create_task(self._stay(keys, *stream)) for keys, stream in zip(self._keys, streams, strict=True)
        ]

    async def on_stop(self) -> None:
        """Let everyone finish the round it is in."""
        self._is_ending = True
        async with asyncio.timeout(30):
            await asyncio.gather(*self._clients)

    def go_on(self, seconds: float) -> tuple[float, float]:
        """Let the clients go on for a while; the span of time that was, on the clock of the journal."""
        began = time.monotonic()
        time.sleep(seconds)
        return began, time.monotonic()

    async def _stay(self, keys: Sequence[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = await self._use(keys, 0, reader, writer)
        while self._returns and not self._is_ending:
            with contextlib.suppress(OSError):
                number = await self._use(keys, number, *await asyncio.open_connection("127.0.0.1", self._port))
            await asyncio.sleep(0.05)

    async def _use(
        self, keys: Sequence[str], number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> int:
        """Go round with numbers from ``number`` on; the next one when the load ends or the connection breaks."""
        parser = hiredis.Reader()
        try:
            while not self._is_ending:
                number += 1
                for key in keys:
                    await self._go_round(key, number, parser, reader, writer)
                    await asyncio.sleep(self._pause)
        except (OSError, hiredis.ProtocolError) as error:
            self.journal.broken.append(f"{keys[0]}: {error!r}")
        finally:
            writer.close()
        return number

    async def _go_round(
        self, key: str, number: int, parser: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        is_sure = True
        for pipeline in self._round(key, number):
            began = time.monotonic()
            writer.write(b"".join(hiredis.pack_command(command) for command, _ in pipeline))  # type: ignore[arg-type]
            for command, wanted in pipeline:
                while (reply := parser.gets()) is False:
                    data = await reader.read(65536)
                    if not data:
                        raise ConnectionError("closed")
                    parser.feed(data)
                is_sure = self._note(Entry(key, number, command[0], began, time.monotonic(), _error(reply)), is_sure)
                if is_sure and reply != wanted:
                    self.journal.wrong.append(Wrong(key, command, wanted, reply, time.monotonic()))

    def _note(self, entry: Entry, is_sure: bool) -> bool:
        """Write down; whether it is known what the next reply has to be: not after an error in the same round."""
        self.journal.entries.append(entry)
        if entry.command in ("SET", "EXEC") and not entry.error:
            self.journal.acknowledged[entry.key] = (entry.number, entry.ended)
        return is_sure and not entry.error


def _error(reply: object) -> str:
    return str(reply) if isinstance(reply, hiredis.ReplyError) else ""
