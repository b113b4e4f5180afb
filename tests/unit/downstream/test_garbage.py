"""What a client and its commands make dies with them: nothing waits for the garbage collector, which seldom runs."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rproxy.dispatch.upload import LARGE
from tests.support.downstream import Client, Downstream
from tests.support.fake_node import SILENCE, FakeNode, echo
from tests.support.pubsub import pubsub_answers
from tests.support.upstream import topology_of

CLIENT = {"DownstreamConnection", "Outbox", "ReplyQueue", "Session"}
"""What a client is. They know one another, and wait for the collector without what is large in them."""
LARGE_ARGUMENT = "x" * (2 * LARGE)
CONVERSATIONS = {
    "plain": ["SET a b", "GET a"],
    "split": ["MSET a 1 b 2 c 3", "MGET a b c", "DEL a b c"],
    "all shards": ["DBSIZE", "KEYS *", "SCAN 0", "FLUSHALL"],
    "a large argument": [f"SET a {LARGE_ARGUMENT}"],
    "a transaction": ["MULTI", "SET a b", "GET a", "EXEC"],
    "a transaction that is given up": ["MULTI", "SET a b", "DISCARD"],
    "a watch": ["WATCH a", "MULTI", "GET a", "EXEC"],
    "a watch that is left": ["WATCH a"],
    "blocking": ["BLPOP a 1", "XREAD BLOCK 1 STREAMS a 0"],
    "scripts": ["SCRIPT LOAD x", "EVAL x 1 a", "EVALSHA 11f6ad8ec52a2984abaafd7c3b516503785c2072 1 a"],
    "a wait": ["SET a b", "WAIT 1 1"],
    "errors": ["NOPE", "GET", "MULTI", "NOPE", "EXEC", "EVAL"],
    "subscriptions": ["SUBSCRIBE a", "PSUBSCRIBE p", "UNSUBSCRIBE", "PUNSUBSCRIBE", "PUBLISH a b"],
    "subscriptions that are left": ["HELLO 3", "SUBSCRIBE a", "SSUBSCRIBE s"],
    "a monitor": ["MONITOR"],
    "about itself": ["INFO", "CONFIG GET *", "CLIENT LIST", "ACL WHOAMI", "SLOWLOG GET"],
}


@contextmanager
def no_collector() -> Iterator[list[str]]:
    """The kinds of objects of this package that only the collector could have freed inside, but for clients."""
    gc.collect()
    gc.disable()
    found: list[str] = []
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        kinds = {type(each) for each in gc.garbage}
        found += sorted({kind.__name__ for kind in kinds if kind.__module__.startswith("rproxy.")} - CLIENT)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.fixture
async def nodes(start_node: Any) -> list[FakeNode]:
    answers = {**pubsub_answers(), "GET": echo, "WAIT": b":1\r\n"}
    return [await start_node(answers) for _ in range(2)]


@pytest.fixture
async def downstream(make_downstream: Callable[..., Downstream], nodes: list[FakeNode]) -> Downstream:
    return make_downstream({"main": topology_of(*((node.endpoint,) for node in nodes))})


async def visit(downstream: Downstream, lines: list[str], then: Callable[[Client], Any] = lambda client: None) -> None:
    """A client that comes, says this, and goes."""
    client = await downstream.client()
    for line in lines:
        await client.call(*line.split())
    then(client)
    client.close()
    await downstream.until(lambda: not downstream.listener.connections)
    await asyncio.sleep(0.01)  # what is done a turn later


@pytest.mark.parametrize("lines", CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
async def test_nothing_is_left_of_a_visit(downstream: Downstream, lines: list[str]) -> None:
    await visit(downstream, lines)  # what is made once, connections and tables, is made here
    with no_collector() as found:
        for _ in range(3):
            await visit(downstream, lines)
    assert found == []


@pytest.mark.parametrize(
    "half",
    [
        b"*2\r\n$3\r\nGET\r\n$1000\r\nab",
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\nab" % (2 * LARGE),
        b"nonsense",
        b"BLPOP a 0\r\n",
        b"GET a\r\nGET b\r\n",
    ],
)
async def test_nothing_is_left_of_who_leaves_in_the_middle(
    downstream: Downstream, nodes: list[FakeNode], half: bytes
) -> None:
    for node in nodes:
        node.answers["BLPOP"] = SILENCE

    async def come_and_go() -> None:
        await visit(downstream, ["GET a"], lambda client: client.send(half))

    await come_and_go()
    with no_collector() as found:
        for _ in range(3):
            await come_and_go()
    assert found == []
