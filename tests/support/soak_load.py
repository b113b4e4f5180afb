"""The load of the soak: clients that go on until they are stopped, a publisher, and those who listen to it."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Sequence

import hiredis

from tests.support.background import Background
from tests.support.soak_client import Client, Wire
from tests.support.soak_traffic import go_round
from tests.support.soak_verdict import Journal, Published, Session

CHANNELS = tuple(f"news:{number}" for number in range(3))
PATTERN = "news:*"
_MESSAGE_EVERY = 0.02
_ENDING = 60.0
"""Seconds in which everyone has to come to an end: a command may take its time-out."""


class SoakLoad(Background):
    """A client for each list of keys, which it uses in turn with ``pause`` seconds between."""

    def __init__(self, port: int, keys: Sequence[Sequence[str]], draw: random.Random, *, pause: float = 0.02) -> None:
        super().__init__()
        self.journal = Journal()
        self.rounds = 0
        """How often all clients together have used a key."""
        self.clients = [Client(port, self.journal, random.Random(draw.random())) for _ in keys]
        self._port = port
        self._keys = keys
        self._pause = pause
        self._is_ending = False
        self._listens_until_all_is_heard = False
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[asyncio.Task[None]] = []

    async def on_start(self) -> None:
        """Begin."""
        self._listeners = [
            asyncio.create_task(self._listen(("SUBSCRIBE", *CHANNELS))),
            asyncio.create_task(self._listen(("PSUBSCRIBE", PATTERN))),
        ]
        used = zip(self.clients, self._keys, strict=True)
        self._tasks = [asyncio.create_task(self._use(client, keys)) for client, keys in used]
        self._tasks.append(asyncio.create_task(self._publish()))

    async def on_stop(self) -> None:
        """Let everyone finish what it is doing; those who listen hear what was published last."""
        self._is_ending = True
        async with asyncio.timeout(_ENDING):
            await asyncio.gather(*self._tasks)
            self._listens_until_all_is_heard = True
            await asyncio.gather(*self._listeners)
        for client in self.clients:
            client.close()

    async def _use(self, client: Client, keys: Sequence[str]) -> None:
        for number in itertools.count(1):
            for key in keys:
                if self._is_ending:
                    return
                await go_round(client, key, number)
                self.rounds += 1
                await asyncio.sleep(self._pause)

    async def _publish(self) -> None:
        """Numbered messages to the channels in turn, each when the one before has been answered."""
        wire = Wire(self._port, self.journal)
        for number in itertools.count(1):
            for channel in CHANNELS:
                if self._is_ending:
                    wire.close()
                    return
                answer = (await wire.ask([("PUBLISH", channel, str(number))]))[0]
                sent = Published(channel, number, answer.began, answer.ended, answer.is_done)
                self.journal.published.append(sent)
                await asyncio.sleep(_MESSAGE_EVERY)

    async def _listen(self, command: tuple[str, ...]) -> None:
        """Be subscribed, with a new session on each new connection."""
        for number in itertools.count(1):
            session = Session(f"{command[0]} {number}")
            wire = Wire(self._port, self.journal)
            try:
                if (await wire.ask([command]))[0].is_done:
                    await self._hear(wire, session, len(command) - 2)  # the first confirmation is the answer
            except (OSError, hiredis.ProtocolError) as error:
                self.journal.broken.append((time.monotonic(), repr(error)))
            wire.close()
            if self._is_ending:
                return
            await asyncio.sleep(0.05)

    async def _hear(self, wire: Wire, session: Session, confirmations: int) -> None:
        """Write down what is heard, until the load ends or, with ``OSError``, the connection."""
        self.journal.sessions.append(session)
        try:
            while (push := await wire.listen(0.5)) is not None or not self._listens_until_all_is_heard:
                if push is not None and push[0].endswith(b"message"):
                    *_, channel, number = push
                    session.heard.append((channel.decode(), int(number), time.monotonic()))
                elif push is not None:
                    confirmations -= 1
                if not confirmations and session.began == float("inf"):
                    session.began = time.monotonic()
        finally:
            session.ended = time.monotonic()
