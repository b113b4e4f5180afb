from __future__ import annotations

from typing import Any

import pytest

from rproxy.commands.lookup import SPECS
from rproxy.dispatch.command import Command
from rproxy.dispatch.crew import Crew, Then, ask_all
from rproxy.dispatch.session import Session
from tests.support.upstream import Replies


class FakeLink:
    """Keeps what is asked and told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.told: list[tuple[int, str, str, Any]] = []
        self.then: Then = lambda answers: None

    def ask(self, listener: str, question: str, argument: Any, then: Then) -> None:
        self.asked.append((listener, question, argument))
        self.then = then

    def tell(self, worker_id: int, listener: str, question: str, argument: Any) -> None:
        self.told.append((worker_id, listener, question, argument))


def double(question: str, argument: Any) -> Any:
    return [question, argument * 2]


def test_a_worker_that_is_alone_answers_itself_at_once() -> None:
    crew = Crew()
    crew.answer = double
    answers: list[Any] = []
    crew.ask("size", 4, answers.append)
    assert answers == [[["size", 8]]]


def test_the_answers_of_the_others_follow_the_own_one() -> None:
    link = FakeLink()
    crew = Crew("redis", 1, 3, link)
    crew.answer = double
    answers: list[Any] = []
    crew.ask("size", 4, answers.append)
    assert (link.asked, answers) == ([("redis", "size", 4)], [])
    link.then([5, 6])
    assert answers == [[["size", 8], 5, 6]]


def test_one_worker_is_told_something() -> None:
    link = FakeLink()
    crew = Crew("redis", 1, 3, link)
    heard: list[Any] = []
    crew.answer = lambda question, argument: heard.append((question, argument))
    crew.tell(1, "note", "own")
    crew.tell(2, "note", "other")
    assert (heard, link.told) == ([("note", "own")], [(2, "redis", "note", "other")])


def test_a_client_waits_for_the_answers() -> None:
    link = FakeLink()
    crew = Crew("redis", 0, 2, link)
    crew.answer = double
    session, replies = Session(1, "", "", 0.0), Replies()
    ask_all(Command(SPECS[0], [], b"", session, replies, 0), crew, "size", 4, lambda answers: b"%d" % len(answers))
    assert (session.is_held, replies.delivered) == (True, [])
    link.then([5])
    assert (session.is_held, replies.delivered) == (False, [(0, b"2")])


def test_without_a_dispatcher_there_is_no_answer() -> None:
    with pytest.raises(RuntimeError, match="before there was a dispatcher"):
        Crew().ask("size", 4, print)
