"""What the workers of a listener ask each other: every question has one answer, and it can be sent."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from rproxy.dispatch import questions as module
from rproxy.dispatch.crew import Then
from rproxy.dispatch.herald import NEW_WORKER
from rproxy.dispatch.newcomer import GOING_ON
from rproxy.dispatch.questions import QUESTIONS
from rproxy.dispatch.session import Session
from rproxy.resp import encode
from rproxy.topology.snapshot import Topology
from rproxy.upstream.elsewhere import ALONE
from tests.support.dispatch import Dispatch

MakeDispatch = Callable[..., Dispatch]


class FakeLink:
    """Keeps what is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, listener: str, question: str, argument: Any, then: Then) -> None:
        json.dumps(argument)
        self.asked.append(question)

    def tell(self, worker_id: int, listener: str, question: str, argument: Any) -> None:
        raise AssertionError("nobody is told anything")


def test_the_questions_of_no_two_modules_are_called_alike() -> None:
    modules = [each for each in vars(module).values() if isinstance(each, ModuleType)]
    counts = Counter(question for each in modules for question in each.QUESTIONS)
    assert set(counts.values()) == {1}
    assert set(counts) == set(QUESTIONS)


async def test_a_dispatcher_answers_the_questions_of_the_table(
    make_dispatch: MakeDispatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(QUESTIONS, "clusters?", lambda argument, context: [argument, len(context.clusters())])
    dispatch = make_dispatch({"main": Topology.empty()})
    answers: list[Any] = []
    dispatch.context.crew.ask("clusters?", encode.OK.decode(), answers.append)
    assert answers == [[["+OK\r\n", 1]]]


async def test_each_listener_answers_for_its_own_clients(make_dispatch: MakeDispatch) -> None:
    one, other = (make_dispatch({"main": Topology.empty()}) for _ in range(2))
    client = Session(7, "127.0.0.1:5000", "127.0.0.1:6380", 0.0)
    one.context.sessions[client.id] = client
    told = json.dumps(one.context.crew.answer("clients", {"id": [7]}))
    assert "id=7 addr=127.0.0.1:5000" in told
    assert "id=7" not in json.dumps(other.context.crew.answer("clients", {"id": [7]}))


async def test_a_question_that_is_not_in_the_table_is_an_error(make_dispatch: MakeDispatch) -> None:
    with pytest.raises(KeyError):
        make_dispatch({"main": Topology.empty()}).context.crew.answer("nope", None)


async def test_a_worker_among_others_tells_of_its_subscriptions_and_asks_what_is_going_on(
    make_dispatch: MakeDispatch,
) -> None:
    link = FakeLink()
    dispatch = make_dispatch({"main": Topology.empty()}, link=link)
    assert dispatch.clusters["main"].subscriptions.herald is not ALONE
    assert link.asked == []  # the others reach it only from the next turn on
    await dispatch.until(lambda: len(link.asked) >= 2)
    assert sorted(link.asked) == sorted([NEW_WORKER, GOING_ON])


async def test_a_worker_that_is_alone_tells_nobody(make_dispatch: MakeDispatch) -> None:
    assert make_dispatch({"main": Topology.empty()}).clusters["main"].subscriptions.herald is ALONE
