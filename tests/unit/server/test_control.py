import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from rproxy.server.control import Channel, ControlError, Questioner, StartQuestion, answer


class Pair:
    """A supervisor's end that listens, and the worker's end."""

    def __init__(self, questioner: Questioner, worker: Channel) -> None:
        self.questioner = questioner
        self.worker = worker
        self.messages = worker.messages()


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    ours, theirs = socket.socketpair()
    supervisor, worker = await Channel.open(ours), await Channel.open(theirs)
    questioner = Questioner(supervisor)
    listening = asyncio.create_task(questioner.listen())
    yield Pair(questioner, worker)
    await worker.close()
    await listening
    await supervisor.close()


def ask(pair: Pair, question: str, seconds: float = 5.0) -> asyncio.Task[object]:
    return asyncio.create_task(pair.questioner.ask({"question": question}, seconds))


async def test_a_question_is_answered(pair: Pair) -> None:
    asking = ask(pair, "samples")
    assert await anext(pair.messages) == {"question": "samples"}
    pair.worker.send({"question": "samples", "answer": [1, "two"]})
    assert await asking == [1, "two"]


async def test_answers_find_their_questions_in_any_order(pair: Pair) -> None:
    first, second = ask(pair, "samples"), ask(pair, "clusters")
    pair.worker.send({"question": "clusters", "answer": "c"})
    pair.worker.send({"question": "samples", "answer": "s"})
    assert (await first, await second) == ("s", "c")


async def test_an_error_is_raised(pair: Pair) -> None:
    asking = ask(pair, "start")
    await anext(pair.messages)
    pair.worker.send({"question": "start", "error": "port taken"})
    with pytest.raises(ControlError, match="port taken"):
        await asking


async def test_no_answer_in_time(pair: Pair) -> None:
    with pytest.raises(ControlError, match=r"no answer within 0\.01 s"):
        await ask(pair, "samples", 0.01)


async def test_an_open_question_is_not_put_again(pair: Pair) -> None:
    with pytest.raises(ControlError):
        await ask(pair, "samples", 0.01)
    late, second = ask(pair, "samples"), ask(pair, "clusters")
    assert [await anext(pair.messages), await anext(pair.messages)] == [
        {"question": "samples"},
        {"question": "clusters"},
    ]
    pair.worker.send({"question": "samples", "answer": "late"})
    pair.worker.send({"question": "clusters", "answer": "c"})
    assert (await late, await second) == ("late", "c")


async def test_the_end_of_the_worker_fails_open_questions_and_later_ones(pair: Pair) -> None:
    asking = ask(pair, "samples")
    await anext(pair.messages)
    await pair.worker.close()
    with pytest.raises(ControlError, match="the worker is gone"):
        await asking
    with pytest.raises(ControlError, match="the worker is gone"):
        await ask(pair, "samples")


async def test_a_long_answer_passes(pair: Pair) -> None:
    asking = ask(pair, "samples")
    await anext(pair.messages)
    pair.worker.send({"question": "samples", "answer": "x" * 5_000_000})
    assert await asking == "x" * 5_000_000


async def test_an_answer_that_nobody_asked_for_is_ignored(pair: Pair) -> None:
    pair.worker.send({"question": "start", "answer": True})
    asking = ask(pair, "samples")
    await anext(pair.messages)
    pair.worker.send({"question": "samples", "answer": 1})
    assert await asking == 1


def test_a_function_answers_its_question() -> None:
    assert answer("pid", {"pid": lambda: 7}) == {"question": "pid", "answer": 7}


def test_an_unknown_question_is_an_error() -> None:
    assert answer("age", {}) == {"question": "age", "error": "unknown question age"}


def test_a_question_that_fails_is_an_error_for_the_one_who_asked() -> None:
    assert answer("pid", {"pid": lambda: 1 // 0})["error"].startswith("ZeroDivisionError: ")


def test_a_start_question_carries_configuration_secrets_and_sockets(make_config) -> None:
    config = make_config()
    with socket.socket() as sock:
        copy = socket.socket(fileno=socket.dup(sock.fileno()))
        message = StartQuestion(config, {"redis": copy}, 3).message()
        copy.detach()
        read = StartQuestion.read(message)
    with read.sockets["redis"] as inherited:
        assert inherited.fileno() == message["sockets"]["redis"]
    assert (read.config, read.worker_id) == (config, 3)
    password = read.config.clusters[0].password
    assert password is not None
    assert password.get_secret_value() == "hushhush"
