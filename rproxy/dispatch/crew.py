"""Questions to every worker: for what concerns all clients of a listener, whichever worker they are at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from rproxy.dispatch.command import Command

Answers = list[Any]
"""What the workers answered, the asking one first. One that is slow, or gone, is left out."""
Then = Callable[[Answers], None]


class Link(Protocol):
    """The way from one worker to the others."""

    def ask(self, listener: str, question: str, argument: Any, then: Then) -> None:
        """Put a question to the other workers; ``then`` gets what they answered, within a bounded time."""

    def tell(self, worker_id: int, listener: str, question: str, argument: Any) -> None:
        """Put a question to another worker, and let its answer be."""


class Crew:
    """The workers, as one of them asks them for one listener; without a ``link`` it is alone.

    Questions are those of ``dispatch.questions``. Their arguments and answers are JSON-able: bytes go as Latin-1 text.
    """

    __slots__ = ("_link", "answer", "listener", "size", "worker_id")

    def __init__(self, listener: str = "", worker_id: int = 0, size: int = 1, link: Link | None = None) -> None:
        self.listener = listener
        self.worker_id = worker_id
        self.size = size
        self.answer: Callable[[str, Any], Any] = _answer_nothing
        self._link = link

    @property
    def is_alone(self) -> bool:
        """Whether there is no other worker."""
        return self._link is None

    def ask(self, question: str, argument: Any, then: Then) -> None:
        """Put ``question`` to every worker, this one at once; ``then`` is called, once, with what was answered."""
        own = self.answer(question, argument)
        if self._link is None:
            then([own])
        else:
            self._link.ask(self.listener, question, argument, lambda others: then([own, *others]))

    def tell(self, worker_id: int, question: str, argument: Any) -> None:
        """Put ``question`` to one worker, and let its answer be."""
        if worker_id == self.worker_id:
            self.answer(question, argument)
        elif self._link is not None:
            self._link.tell(worker_id, self.listener, question, argument)


def _answer_nothing(question: str, argument: Any) -> None:
    raise RuntimeError(f"asked for {question} before there was a dispatcher")


def ask_all(command: Command, crew: Crew, question: str, argument: Any, finish: Callable[[Answers], bytes]) -> None:
    """Answer ``command`` with what ``finish`` makes of all workers' answers; the client's next command waits for it."""
    session = command.session

    def on_answers(answers: Answers) -> None:
        command.reply(finish(answers))
        session.release()

    session.hold()
    crew.ask(question, argument, on_answers)
