"""A worker's way to the others: through the supervisor, over its control channel."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from rproxy.dispatch.crew import Then
from rproxy.server.control import Channel, Message

ANSWERS_WITHIN = 2.0
"""Seconds the supervisor has to bring the others' answers; it gives each of them less (``ANSWER_WITHIN``)."""


class WorkerLink:
    """See ``dispatch.crew.Link``. A question goes out as ``{"ask": NUMBER, …}`` or ``{"tell": WORKER, …}``."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._numbers = itertools.count()
        self._asked: dict[int, Then] = {}

    def ask(self, listener: str, question: str, argument: Any, then: Then) -> None:
        """See ``Link``."""
        number = next(self._numbers)
        self._asked[number] = then
        self._channel.send({"ask": number, "argument": _address(listener, question, argument)})
        asyncio.get_running_loop().call_later(ANSWERS_WITHIN, self._finish, number, [])

    def tell(self, worker_id: int, listener: str, question: str, argument: Any) -> None:
        """See ``Link``."""
        self._channel.send({"tell": worker_id, "argument": _address(listener, question, argument)})

    def on_answers(self, message: Message) -> None:
        """The supervisor brings the others' answers."""
        asyncio.get_running_loop().call_soon(self._finish, message["number"], message["answers"])

    def _finish(self, number: int, answers: list[Any]) -> None:
        then = self._asked.pop(number, None)
        if then is not None:
            then(answers)


def _address(listener: str, question: str, argument: Any) -> Message:
    return {"listener": listener, "question": question, "argument": argument}
