"""What the workers tell each other of their subscriptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rproxy.dispatch.crew import Then
from rproxy.dispatch.herald import NEW_WORKER, SHARES
from rproxy.upstream.elsewhere import ALONE
from tests.support.dispatch import Dispatch
from tests.support.downstream import Client, Downstream
from tests.support.fake_node import FakeNode
from tests.support.pubsub import confirm, pubsub_answers, push
from tests.support.upstream import topology_of


class Others:
    """The other workers of a crew of two, as a link; what is asked of subscriptions they answer when told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self._thens: list[Then] = []

    def ask(self, listener: str, question: str, argument: Any, then: Then) -> None:
        if question in (SHARES, NEW_WORKER):
            self.asked.append((question, argument))
            self._thens.append(then)

    def tell(self, worker_id: int, listener: str, question: str, argument: Any) -> None:
        raise AssertionError("nobody is told anything")

    @property
    def shares(self) -> list[Any]:
        return [argument for question, argument in self.asked if question == SHARES]

    def answer(self, *answers: Any) -> None:
        """Answer the last question."""
        self._thens.pop()(list(answers))


@pytest.fixture
async def node(start_node: Any) -> FakeNode:
    node: FakeNode = await start_node(pubsub_answers() | {"PUBLISH": b":1\r\n"})
    return node


@pytest.fixture
def others() -> Others:
    return Others()


@pytest.fixture
async def downstream(make_downstream: Callable[..., Downstream], node: FakeNode, others: Others) -> Downstream:
    return make_downstream({"main": topology_of((node.endpoint,))}, link=others)


@pytest.fixture
async def client(downstream: Downstream) -> Client:
    return await downstream.client()


def share(node: FakeNode, name: str, clients: int, kind: str = "CHANNEL") -> list[Any]:
    return [kind, name, clients, [str(node.endpoint)] if clients else []]


async def test_who_subscribes_is_told_when_the_others_know(
    downstream: Downstream, client: Client, node: FakeNode, others: Others
) -> None:
    client.send(b"SUBSCRIBE a\r\nSUBSCRIBE b\r\n")
    await downstream.until(lambda: others.shares and node.count("subscribe") == 1)
    assert others.shares == [[0, "main", 1, False, [share(node, "a", 1)]]]
    session = (await downstream.connection()).session
    assert session.is_held
    others.answer(True)
    assert await client.reply() == push("subscribe", "a", 1)
    await downstream.until(lambda: len(others.shares) == 2)
    assert others.shares[1] == [0, "main", 2, False, [share(node, "b", 1)]]
    others.answer()
    assert await client.reply() == push("subscribe", "b", 2)


async def test_so_is_who_ends_it(downstream: Downstream, client: Client, node: FakeNode, others: Others) -> None:
    client.send(b"PSUBSCRIBE a*\r\nPUNSUBSCRIBE\r\nPING\r\n")
    await downstream.until(lambda: len(others.shares) == 1)
    others.answer(True)
    assert await client.reply() == push("psubscribe", "a*", 1)
    await downstream.until(lambda: len(others.shares) == 2)
    assert others.shares[1] == [0, "main", 2, False, [share(node, "a*", 0, "PATTERN")]]
    others.answer(True)
    assert await client.reply() == push("punsubscribe", "a*", 0)
    assert await client.reply() == b"+PONG\r\n"


async def test_changes_go_together_and_one_message_at_a_time(
    downstream: Downstream, client: Client, node: FakeNode, others: Others
) -> None:
    client.send(b"SUBSCRIBE a b\r\n")
    await downstream.until(lambda: len(others.shares) == 1)
    assert others.shares[0][4] == [share(node, "a", 1), share(node, "b", 1)]
    more = [await downstream.client() for _ in range(2)]
    for one in more:
        one.send(b"SUBSCRIBE a\r\n")
    await downstream.until(lambda: all(one.session.is_held for one in downstream.listener.connections))
    assert len(others.shares) == 1
    others.answer(True)
    await downstream.until(lambda: len(others.shares) == 2)
    assert others.shares[1] == [0, "main", 2, False, [share(node, "a", 3)]]
    others.answer(True)
    for one in more:
        assert await one.reply() == push("subscribe", "a", 1)


async def test_one_that_has_missed_something_is_told_all(
    downstream: Downstream, client: Client, node: FakeNode, others: Others
) -> None:
    client.send(b"SUBSCRIBE a\r\nSUBSCRIBE b\r\n")
    await downstream.until(lambda: len(others.shares) == 1)
    others.answer(True)
    await downstream.until(lambda: len(others.shares) == 2)
    others.answer(True, False)
    await downstream.until(lambda: len(others.shares) == 3)
    assert others.shares[2] == [0, "main", 3, True, [share(node, "a", 1), share(node, "b", 1)]]
    assert await client.reply() == push("subscribe", "a", 1)
    others.answer(True, True)
    assert await client.reply() == push("subscribe", "b", 2)


async def test_a_new_worker_asks_for_all(
    downstream: Downstream, client: Client, node: FakeNode, others: Others
) -> None:
    await downstream.until(lambda: others.asked)
    assert others.asked == [(NEW_WORKER, [0, "main"])]
    others.answer([1, "main", 7, True, [share(node, "a", 5)]], None)
    assert await client_counts(downstream) == b":5\r\n"
    assert downstream.context.crew.answer(SHARES, [1, "main", 8, False, [share(node, "a", 4)]])
    assert await client_counts(downstream) == b":4\r\n"


async def test_it_is_given_all_and_has_nothing_itself(
    downstream: Downstream, client: Client, node: FakeNode, others: Others
) -> None:
    await downstream.until(lambda: others.asked)
    others.answer()
    crew = downstream.context.crew
    assert crew.answer(NEW_WORKER, [1, "main"]) == [0, "main", 0, True, []]
    client.send(b"SUBSCRIBE a\r\n")
    await downstream.until(lambda: others.shares)
    others.answer(True)
    assert await client.reply() == push("subscribe", "a", 1)
    assert crew.answer(SHARES, [1, "main", 1, False, [share(node, "a", 5)]])
    node.answers["PUBLISH"] = b":2\r\n"
    assert await client_counts(downstream) == b":6\r\n"
    assert crew.answer(NEW_WORKER, [1, "main"]) == [0, "main", 1, True, [share(node, "a", 1)]]
    node.answers["PUBLISH"] = b":1\r\n"
    assert await client_counts(downstream) == b":1\r\n"
    assert crew.answer(NEW_WORKER, [1, "unknown"]) is None


async def client_counts(downstream: Downstream) -> bytes:
    """How many get a message."""
    return await (await downstream.client()).call("PUBLISH", "a", "x")


async def test_the_clients_of_all_workers_are_counted(
    downstream: Downstream, client: Client, node: FakeNode, others: Others
) -> None:
    crew = downstream.context.crew
    assert await client_counts(downstream) == b":1\r\n"
    assert crew.answer(SHARES, [1, "main", 1, False, [share(node, "a", 5)]])
    assert crew.answer(SHARES, [2, "main", 1, False, [["PATTERN", "*", 2, ["127.0.0.1:1"]]]])
    assert await client_counts(downstream) == b":7\r\n"
    assert crew.answer(SHARES, [1, "main", 3, False, []]) is False
    assert crew.answer(SHARES, [1, "unknown", 3, False, []])
    assert crew.answer(SHARES, [0, "main", 3, False, [share(node, "a", 50)]])
    assert await client_counts(downstream) == b":7\r\n"


async def test_a_client_that_leaves_is_told_of(
    downstream: Downstream, client: Client, node: FakeNode, others: Others
) -> None:
    node.answers["SUBSCRIBE"] = confirm
    client.send(b"SUBSCRIBE a\r\n")
    await downstream.until(lambda: others.shares)
    others.answer(True)
    await client.reply()
    client.close()
    await downstream.until(lambda: len(others.shares) == 2)
    assert others.shares[1][4] == [share(node, "a", 0)]


async def test_a_worker_that_is_alone_tells_nobody(dispatch: Dispatch) -> None:
    assert dispatch.context.crew.is_alone
    assert dispatch.clusters["main"].subscriptions.herald is ALONE
