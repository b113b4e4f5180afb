"""What a worker that starts hears from those that serve, and they from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rproxy.dispatch.crew import Then
from rproxy.dispatch.newcomer import GOING_ON
from rproxy.topology.snapshot import Topology
from tests.support.downstream import Downstream


class Others:
    """The other workers, as a link that keeps what it is asked, and tells what it is told."""

    def __init__(self) -> None:
        self.asked: dict[str, tuple[Any, Then]] = {}
        self.told: list[tuple[int, str]] = []

    def ask(self, listener: str, question: str, argument: Any, then: Then) -> None:
        self.asked[question] = argument, then

    def tell(self, worker_id: int, listener: str, question: str, argument: Any) -> None:
        self.told.append((worker_id, question))


@pytest.fixture
def others() -> Others:
    return Others()


@pytest.fixture
async def served(make_downstream: Callable[..., Downstream], topology: Topology, others: Others) -> Downstream:
    downstream = make_downstream({"main": topology}, link=others)
    await downstream.until(lambda: GOING_ON in others.asked)
    return downstream


async def test_it_shows_its_commands_to_who_monitors_elsewhere(served: Downstream, others: Others) -> None:
    argument, then = others.asked[GOING_ON]
    assert argument == [0, 0]
    client = await served.client()
    assert await client.call("PING") == b"+PONG\r\n"
    then([[[1, 2], None], None])
    assert await client.call("PING") == b"+PONG\r\n"
    assert others.told == [(1, "monitored")]


async def test_commands_wait_as_long_as_elsewhere(served: Downstream, others: Others) -> None:
    client = await served.client()
    assert await client.call("PING") == b"+PONG\r\n"
    began = served.turn.tick()
    others.asked[GOING_ON][1]([[[1, 0], [0.3, True]]])
    assert await client.call("PING") == b"+PONG\r\n"
    assert served.turn.tick() - began >= 0.3


async def test_who_takes_the_place_of_another_has_no_monitors(served: Downstream, others: Others) -> None:
    answer = served.dispatcher.context.crew.answer
    answer("audience", [1, 3])
    assert answer(GOING_ON, [1, 0]) == [[0, 0], None]
    client = await served.client()
    assert await client.call("PING") == b"+PONG\r\n"
    assert others.told == []


async def test_it_tells_of_its_own_pause(served: Downstream) -> None:
    answer = served.dispatcher.context.crew.answer
    answer("pause", [100.0, False])
    _, (seconds, is_all) = answer(GOING_ON, [1, 0])
    assert 90.0 < seconds <= 100.0
    assert not is_all
    answer("unpause", None)
    assert answer(GOING_ON, [1, 0]) == [[0, 0], None]
