import asyncio
import socket
from typing import Any

import pytest

from rproxy.server import link as module
from rproxy.server.control import Channel
from rproxy.server.link import WorkerLink


async def open_pair() -> tuple[Channel, WorkerLink]:
    ours, theirs = socket.socketpair()
    return await Channel.open(ours), WorkerLink(await Channel.open(theirs))


async def test_a_question_goes_to_the_supervisor_and_its_answers_come_back() -> None:
    supervisor, link = await open_pair()
    answers: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
    link.ask("redis", "noted", 1, lambda _: None)
    link.ask("redis", "noted", 2, answers.set_result)
    messages = supervisor.messages()
    assert await anext(messages) == {
        "ask": 0,
        "argument": {"listener": "redis", "question": "noted", "argument": 1},
    }
    assert (await anext(messages))["ask"] == 1
    link.on_answers({"number": 1, "answers": ["a", "b"]})
    assert await answers == ["a", "b"]
    await supervisor.close()


async def test_without_answers_in_time_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWERS_WITHIN", 0.01)
    supervisor, link = await open_pair()
    answers: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
    link.ask("redis", "noted", 1, answers.set_result)
    assert await answers == []
    link.on_answers({"number": 0, "answers": ["late"]})
    await supervisor.close()


async def test_one_worker_is_told_something() -> None:
    supervisor, link = await open_pair()
    link.tell(3, "redis", "note", "x")
    assert await anext(supervisor.messages()) == {
        "tell": 3,
        "argument": {"listener": "redis", "question": "note", "argument": "x"},
    }
    await supervisor.close()
