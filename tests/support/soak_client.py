"""A client of the soak: it sends commands, checks what every reply says, and writes down what cannot be judged yet.

Each key has one client alone. A value names its key and a number that grows, so a reply of somebody else, or of an
earlier time, is seen as such.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import hiredis

from tests.support.soak_verdict import Addition, Failed, Journal, Outcome, Place, Pop, Read, Write, outcome_of

Command = tuple[str, ...]
PATIENCE = 60.0
"""Seconds after which a reply is taken for one that never comes."""
KEPT = 60.0
"""Seconds for which what was written to a key is remembered."""
_REMEMBERED = 256
"""Writes to a key that are remembered however long ago they were."""


class Answer(NamedTuple):
    """What came of a command. A ``value`` means something if it was ``DONE``."""

    value: Any
    outcome: Outcome
    began: float
    ended: float

    @property
    def is_done(self) -> bool:
        """Whether there is a reply that is no error."""
        return self.outcome is Outcome.DONE


class Wire:
    """A connection that is opened when it is needed, again after it was lost."""

    def __init__(self, port: int, journal: Journal) -> None:
        self._port = port
        self._journal = journal
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._parser = hiredis.Reader()

    async def ask(self, commands: list[Command]) -> list[Answer]:
        """Send commands at once and wait for their replies; those that the connection did not give are unknown."""
        began = time.monotonic()
        answers: list[Answer] = []
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = self._streams or await self._open()
                writer.write(b"".join(hiredis.pack_command(command) for command in commands))  # type: ignore[arg-type]
                for command in commands:
                    reply = await self._read(reader)
                    answers.append(self._answer(command, reply, began))
        except TimeoutError:
            self._journal.wrong.append(f"no reply to {commands[len(answers)][:2]} since {began}")
            self.close()
        except (OSError, hiredis.ProtocolError) as error:
            self._journal.broken.append((time.monotonic(), repr(error)))
            self.close()
            await asyncio.sleep(0.05)
        unknown = Answer(None, Outcome.MAYBE, began, time.monotonic())
        return answers + [unknown] * (len(commands) - len(answers))

    def _answer(self, command: Command, reply: Any, began: float) -> Answer:
        ended = time.monotonic()
        error = str(reply) if isinstance(reply, hiredis.ReplyError) else ""
        self._journal.commands += 1
        if error:
            self._journal.failed.append(Failed(tuple(word[:40] for word in command[:3]), began, ended, error))
        return Answer(reply, outcome_of(error), began, ended)

    async def listen(self, seconds: float) -> Any:
        """The next push, ``None`` if there is none in time. Raises ``OSError`` if the connection is lost."""
        assert self._streams is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._read(self._streams[0])
        return None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        self._parser = hiredis.Reader()
        return self._streams

    async def _read(self, reader: asyncio.StreamReader) -> Any:
        while (reply := self._parser.gets()) is False:
            data = await reader.read(1 << 18)
            if not data:
                raise ConnectionError("closed")
            self._parser.feed(data)
        return reply

    def close(self) -> None:
        """Close it. The next command opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Client:
    """One client, with a second connection for what has to be done from elsewhere."""

    def __init__(self, port: int, journal: Journal, draw: random.Random) -> None:
        self.journal = journal
        self.draw = draw
        self.wire = Wire(port, journal)
        self.partner = Wire(port, journal)
        self.writes: dict[str, deque[Write]] = {}
        """What each key was given, in order."""
        self._counts: dict[str, int] = {}

    def close(self) -> None:
        """Close both connections."""
        self.wire.close()
        self.partner.close()

    async def ask(self, *commands: Command) -> list[Answer]:
        """Send commands at once and wait for their replies."""
        return await self.wire.ask(list(commands))

    def expect(self, command: str, answer: Answer, wanted: Any) -> None:
        """A reply that is no error has to be this one."""
        if answer.is_done and answer.value != wanted:
            self.journal.wrong.append(f"{command}: {str(answer.value)[:200]}, not {str(wanted)[:200]}")

    def wrote(self, key: str, number: int, answer: Answer) -> None:
        """A key was given a value."""
        writes = self.writes.setdefault(key, deque())
        writes.append(_write(number, answer))
        while len(writes) > _REMEMBERED and writes[0].ended < answer.ended - KEPT:
            writes.popleft()

    def read(self, key: str, value: bytes | None, at: float, *, coming: Sequence[Write] = ()) -> None:
        """A key was read: it holds the last value that was acknowledged, or that has to be judged.

        A read that is lost is sent again: then it may see what was sent behind it, and may have been executed.
        """
        number = number_in(key, value)
        if number is None:
            self.journal.wrong.append(f"{key} has {str(value)[:80]} of {len(value or b'')} bytes")
            return
        writes = self.writes.get(key, deque())
        last = writes[-1] if writes else None
        if (last.number if last else 0) != number or (last is not None and last.outcome is not Outcome.DONE):
            maybe = [write for write in coming if write.outcome is Outcome.MAYBE]
            self.journal.odd.append(Read(key, number, at, (*writes, *maybe)))

    def set_and_got(self, key: str, numbers: Sequence[int], answers: Sequence[Answer]) -> None:
        """``GET``, and then ``SET`` and ``GET`` for every number, in one pipeline."""
        first, *others = answers
        sets = [_write(number, answer) for number, answer in zip(numbers, others[::2], strict=True)]
        if first.is_done:
            self.read(key, first.value, first.ended, coming=sets)
        for index, number in enumerate(numbers):
            written, read = others[2 * index : 2 * index + 2]
            self.expect("SET", written, b"OK")
            self.wrote(key, number, written)
            if read.is_done:
                self.read(key, read.value, read.ended, coming=sets[index + 1 :])

    def added(self, key: str, kind: str, token: str, answer: Answer) -> None:
        """A token was added to a place."""
        self.journal.additions.append(Addition(Place(key, kind), token, answer.began, answer.ended, answer.outcome))

    def popped(self, key: str, token: str, answer: Answer) -> None:
        """A token was taken from a list; it is not known which, or whether, if it is empty."""
        self.journal.pops.append(Pop(key, token, answer.began, answer.ended))

    def counted(self, key: str, answer: Answer) -> None:
        """A counter was added to."""
        self.added(key, "counter", "", answer)
        if not answer.is_done:
            return
        if not isinstance(answer.value, int):
            self.journal.wrong.append(f"INCR {key}: {answer.value!r}")
        elif answer.value <= self._counts.get(key, 0):
            self.journal.fallen.append((key, answer.ended))
        self._counts[key] = answer.value


def _write(number: int, answer: Answer) -> Write:
    return Write(number, answer.began, answer.ended, answer.outcome)


def value_of(key: str, number: int, more: int = 0) -> str:
    """What a key holds after the write of a number; ``more`` bytes make it longer, and are said in it."""
    return f"{key}={number}+{more}=" + "x" * more


def number_in(key: str, value: bytes | None) -> int | None:
    """The number in a value of this key, 0 for no value; ``None`` if it is no whole value of this key."""
    if value is None:
        return 0
    name, equals, rest = value.partition(b"=")
    said, _, filler = rest.partition(b"=")
    number, _, more = said.partition(b"+")
    is_whole = name == key.encode() and equals and number.isdigit() and more.isdigit()
    if not is_whole or len(filler) != int(more) or filler.strip(b"x"):
        return None
    return int(number)
