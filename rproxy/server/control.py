"""The control channel between the supervisor and one worker: newline-delimited JSON over a socket pair.

The supervisor asks ``{"question": NAME}`` and the worker replies ``{"question": NAME, "answer": …}``, or ``"error"`` in
place of the answer. The first question is ``start``, which carries what a worker needs; ``drain`` is answered by the
end of the channel. By that end each process learns that the other one is gone. ``reload`` carries another
configuration; the listening sockets that it needs have been sent before, through a socket pair of their own.

A worker asks all others by ``{"ask": NUMBER, "argument": …}``. The supervisor puts the argument to each of them as the
question ``crew`` and sends what they answered, ``{"question": "answers", "number": NUMBER, "answers": […]}``. By
``{"tell": WORKER_ID, "argument": …}`` it reaches one of them, as the question ``told``, which has no answer.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import pickle
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import astuple, dataclass
from typing import Any

from rproxy.config.models import Config
from rproxy.downstream.balance import Share
from rproxy.errors import RproxyError

Message = dict[str, Any]

_LONGEST = 64 * 1024**2
"""Bytes of one message: metrics of every command on hundreds of clusters stay far below."""
_OPEN_MOST = 256
"""Questions that a worker may leave open; it is asked no more then, so one that hangs is not sent more and more."""
_BACKLOG_MOST = 16 * 1024**2
"""Bytes that may wait in a channel beyond which what is only told is dropped: the other side hangs."""
_GONE = "the worker is gone"

log = logging.getLogger("rproxy.control")


class ControlError(RproxyError):
    """A worker gave no answer; the text says why."""


class Channel:
    """One end of a control channel."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, sock: socket.socket) -> Channel:
        """The channel over one of a pair of connected Unix sockets."""
        return cls(*await asyncio.open_unix_connection(sock=sock, limit=_LONGEST))

    def send(self, message: Message) -> None:
        """Send ``message`` in time; nothing happens if the other side is gone."""
        self._writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def has_room(self) -> bool:
        """Whether the other side takes what it is sent."""
        return self._writer.transport.get_write_buffer_size() < _BACKLOG_MOST

    async def messages(self) -> AsyncIterator[Message]:
        """What the other side sends, until its end."""
        while True:
            try:
                line = await self._reader.readuntil()
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            yield json.loads(line)

    async def close(self) -> None:
        """Send what was not sent yet and end the channel: the ``messages`` of both sides end."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


def config_text(config: Config) -> str:
    """A configuration as text: pickled, since as JSON it would show no secret, and both sides are one program."""
    return base64.b64encode(pickle.dumps(config)).decode()


def config_of(text: str) -> Config:
    """The configuration of ``config_text``."""
    config: Config = pickle.loads(base64.b64decode(text))  # noqa: S301 - from our own supervisor
    return config


@dataclass(frozen=True, slots=True)
class StartQuestion:
    """What a worker needs to start: the inherited sockets have the same descriptors in both processes."""

    config: Config
    sockets: dict[str, socket.socket]
    worker_id: int
    share: Share | None = None
    """The worker's part in spreading clients over the workers."""
    inbox: socket.socket | None = None
    """Where clients of another rproxy come from."""

    def descriptors(self) -> list[int]:
        """What the worker's process inherits."""
        shared = self.share.descriptors() if self.share is not None else []
        inbox = [self.inbox.fileno()] if self.inbox is not None else []
        return [*(sock.fileno() for sock in self.sockets.values()), *shared, *inbox]

    def message(self) -> Message:
        """As the supervisor sends it."""
        return {
            "question": "start",
            "config": config_text(self.config),
            "sockets": {name: sock.fileno() for name, sock in self.sockets.items()},
            "worker_id": self.worker_id,
            "share": astuple(self.share) if self.share is not None else None,
            "inbox": self.inbox.fileno() if self.inbox is not None else None,
        }

    @classmethod
    def read(cls, message: Message) -> StartQuestion:
        """As the worker gets it."""
        return cls(
            config_of(message["config"]),
            {name: socket.socket(fileno=descriptor) for name, descriptor in message["sockets"].items()},
            message["worker_id"],
            Share(*message["share"]) if message["share"] is not None else None,
            socket.socket(fileno=message["inbox"]) if message["inbox"] is not None else None,
        )


class Questioner:
    """The supervisor's end. ``listen`` has to run for questions to be answered.

    ``on_request`` takes what the worker wants of the others.
    """

    def __init__(self, channel: Channel, on_request: Callable[[Message], None] | None = None) -> None:
        self._channel = channel
        self._on_request = on_request
        self._asked: dict[tuple[str, int | None], asyncio.Future[Any]] = {}
        self._is_over = False

    async def ask(self, message: Message, seconds: float) -> Any:
        """The worker's answer. Raises ``ControlError`` if there is none within ``seconds``, or never will be.

        The same question, by its ``number`` too where it has one, is not put again while it is open.
        """
        if self._is_over:
            raise ControlError(_GONE)
        question = _key(message)
        if question not in self._asked:
            if len(self._asked) >= _OPEN_MOST:
                raise ControlError(f"{_OPEN_MOST} questions are open")
            self._asked[question] = asyncio.get_running_loop().create_future()
            self._channel.send(message)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._asked[question])
        except TimeoutError:
            raise ControlError(f"no answer within {seconds:g} s") from None

    async def listen(self) -> None:
        """Take answers until the worker's end."""
        async for message in self._channel.messages():
            if "question" in message:
                self._on_answer(message)
            elif self._on_request is not None:
                self._on_request(message)
        self._is_over = True
        for future in self._asked.values():
            _fail(future, _GONE)

    def _on_answer(self, message: Message) -> None:
        future = self._asked.pop(_key(message), None)
        if future is None:
            return
        if "error" in message:
            _fail(future, message["error"])
        else:
            future.set_result(message["answer"])


def _key(message: Message) -> tuple[str, int | None]:
    return message["question"], message.get("number")


def _fail(future: asyncio.Future[Any], reason: str) -> None:
    future.set_exception(ControlError(reason))
    future.exception()  # seen: nobody may be waiting any more


def answer(question: str, answers: dict[str, Callable[[], Any]]) -> Message:
    """The reply to ``question`` from the function of that name: what it returns, or that it failed."""
    if question not in answers:
        return {"question": question, "error": f"unknown question {question}"}
    try:
        return {"question": question, "answer": answers[question]()}
    except Exception as error:  # whatever it is, the worker's clients come first
        log.exception("the question %s failed", question)
        return {"question": question, "error": f"{type(error).__name__}: {error}"}
