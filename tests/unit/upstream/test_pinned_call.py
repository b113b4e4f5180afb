"""A request on a pinned connection finds the node that serves its slot, wherever that is by then."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rproxy.resp import encode
from rproxy.upstream.failure import LOST, PINS_FULL, TIMEOUT, UNREACHABLE
from rproxy.upstream.pinned import PinnedConnection
from rproxy.upstream.pinned_call import PinnedCall
from tests.support.fake_node import CLOSE, SILENCE, FakeNode
from tests.support.upstream import Upstream, topology_of

BLPOP = encode.command([b"BLPOP", b"a", b"0"])
GOT = b"*2\r\n$1\r\na\r\n$1\r\nx\r\n"


class Called:
    """A call, and what it was answered."""

    def __init__(self, upstream: Upstream, **keywords: Any) -> None:
        self.answers: list[tuple[PinnedConnection | None, bytes]] = []
        self.requests = 0
        self.call = PinnedCall(upstream.cluster, 0, self._request, self._answered, **keywords)
        self._came = asyncio.Event()
        self.call.start()

    def _request(self) -> bytes:
        self.requests += 1
        return BLPOP

    def _answered(self, connection: PinnedConnection | None, reply: bytes) -> None:
        self.answers.append((connection, reply))
        self._came.set()

    async def answer(self) -> tuple[PinnedConnection | None, bytes]:
        async with asyncio.timeout(5):
            await self._came.wait()
        (answer,) = self.answers
        return answer


@pytest.fixture
async def nodes(start_node: Any) -> list[FakeNode]:
    return [await start_node({"BLPOP": GOT}) for _ in range(2)]


@pytest.fixture
async def upstream(nodes: list[FakeNode], make_upstream: Any) -> Upstream:
    return make_upstream(topology_of(*((node.endpoint,) for node in nodes)))  # type: ignore[no-any-return]


async def test_it_is_answered_on_a_connection_that_is_still_leased(upstream: Upstream) -> None:
    connection, reply = await Called(upstream).answer()
    assert connection is not None
    assert (reply, connection.pins.count()) == (GOT, (1, 0))


async def test_an_error_is_an_answer(upstream: Upstream, nodes: list[FakeNode]) -> None:
    nodes[0].answers["BLPOP"] = b"-ERR timeout is negative\r\n"
    assert (await Called(upstream).answer())[1] == b"-ERR timeout is negative\r\n"


async def test_it_follows_its_slot(upstream: Upstream, nodes: list[FakeNode]) -> None:
    nodes[0].answers["BLPOP"] = b"-MOVED 0 %b\r\n" % str(nodes[1].endpoint).encode()
    called = Called(upstream)
    connection, reply = await called.answer()
    assert connection is not None
    assert (reply, connection.pins.pool.endpoint, called.requests) == (GOT, nodes[1].endpoint, 2)
    assert upstream.cluster.redirections == {"moved": 1}
    assert upstream.cluster.pools.get(nodes[0].endpoint, is_readonly=False).pins.count() == (0, 1)


async def test_it_asks_the_node_that_imports_its_slot(upstream: Upstream, nodes: list[FakeNode]) -> None:
    nodes[0].answers["BLPOP"] = b"-ASK 0 %b\r\n" % str(nodes[1].endpoint).encode()
    assert (await Called(upstream).answer())[1] == GOT
    assert nodes[1].peers[0].commands[1:] == [(b"ASKING",), (b"BLPOP", b"a", b"0")]


@pytest.mark.parametrize(
    "line",
    [
        b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n",
    ],
)
async def test_it_is_sent_again_when_a_trouble_has_passed(
    upstream: Upstream, nodes: list[FakeNode], line: bytes
) -> None:
    nodes[0].answers["BLPOP"] = [line, GOT]
    called = Called(upstream)
    assert (await called.answer())[1] == GOT
    assert called.requests == 2


@pytest.mark.late
async def test_a_trouble_that_does_not_pass_is_answered(upstream: Upstream, nodes: list[FakeNode]) -> None:
    line = b"-LOADING Redis is loading the dataset in memory\r\n"
    nodes[0].answers["BLPOP"] = line
    assert await Called(upstream).answer() == (None, line)


async def test_client_unblock_is_an_answer(upstream: Upstream, nodes: list[FakeNode]) -> None:
    line = b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"
    nodes[0].answers["BLPOP"] = line
    assert (await Called(upstream).answer())[1] == line


async def test_it_can_be_unblocked_at_an_endpoint_whose_pool_is_retired(
    upstream: Upstream, nodes: list[FakeNode]
) -> None:
    nodes[0].answers |= {"BLPOP": SILENCE, "CLIENT ID": b":7\r\n", "CLIENT UNBLOCK": b":1\r\n"}
    called = Called(upstream)
    await nodes[0].heard("BLPOP")
    upstream.cluster.pools.keep([])
    assert called.call.unblock(False)
    await upstream.until(lambda: (b"CLIENT", b"UNBLOCK", b"7", b"TIMEOUT") in nodes[0].received)
    called.call.cancel()


async def test_it_can_be_unblocked_before_its_node_is_reached(upstream: Upstream, nodes: list[FakeNode]) -> None:
    def unblock(command: Any) -> bytes:
        if nodes[0].count("CLIENT") < 3:  # the first is CLIENT ID
            return b":0\r\n"
        nodes[0].peers[0].send(b"*-1\r\n")
        return b":1\r\n"

    nodes[0].answers |= {"BLPOP": SILENCE, "CLIENT ID": b":7\r\n", "CLIENT UNBLOCK": unblock}
    called = Called(upstream)
    assert called.call.unblock(False)
    assert (await called.answer())[1] == b"*-1\r\n"
    assert not called.call.unblock(False)
    assert nodes[0].peers[1].commands == [(b"CLIENT", b"UNBLOCK", b"7", b"TIMEOUT")] * 2


async def test_redirections_in_a_circle_end(upstream: Upstream, nodes: list[FakeNode]) -> None:
    for node, other in zip(nodes, reversed(nodes), strict=True):
        node.answers["BLPOP"] = b"-MOVED 0 %b\r\n" % str(other.endpoint).encode()
    assert (await Called(upstream).answer())[1].startswith(b"-MOVED 0 ")


async def test_a_connection_lost_after_it_was_sent_is_a_failure(upstream: Upstream, nodes: list[FakeNode]) -> None:
    nodes[0].answers["BLPOP"] = CLOSE
    expected = LOST.line(str(nodes[0].endpoint), "closed by the node")
    assert await Called(upstream).answer() == (None, expected)
    assert upstream.cluster.failures == {"connection_lost": 1}


@pytest.mark.late
async def test_a_node_that_cannot_be_reached_is_looked_for_until_the_deadline(
    upstream: Upstream, nodes: list[FakeNode]
) -> None:
    await nodes[0].stop()
    connection, reply = await Called(upstream).answer()
    assert connection is None
    assert reply.startswith(UNREACHABLE.line("main", "x")[:30])
    assert upstream.cluster.failures == {"unreachable": 1}


async def test_a_node_that_comes_back_is_found(upstream: Upstream, nodes: list[FakeNode]) -> None:
    await nodes[0].stop()
    called = Called(upstream)
    pool = upstream.cluster.pools.get(nodes[0].endpoint, is_readonly=False)
    await upstream.until(pool.is_down)
    await nodes[0].start()
    assert (await called.answer())[1] == GOT


async def test_a_node_has_as_long_as_is_given_to_it(upstream: Upstream, nodes: list[FakeNode]) -> None:
    nodes[0].answers["BLPOP"] = SILENCE
    assert await Called(upstream, patience=0.02).answer() == (None, TIMEOUT.line(str(nodes[0].endpoint)))
    assert upstream.cluster.failures == {"timeout": 1}
    await nodes[0].until_closed(0)


async def test_cancelled_it_is_never_answered_and_its_connection_closed(
    upstream: Upstream, nodes: list[FakeNode]
) -> None:
    nodes[0].answers["BLPOP"] = SILENCE
    called = Called(upstream)
    await nodes[0].heard("BLPOP")
    called.call.cancel()
    await nodes[0].until_closed(0)
    assert called.answers == []


async def test_where_every_connection_is_in_use_it_says_so(nodes: list[FakeNode], make_upstream: Any) -> None:
    nodes[0].answers["BLPOP"] = SILENCE
    upstream = make_upstream(topology_of((nodes[0].endpoint,)), max_pinned_connections=1)
    waiting = Called(upstream)
    place = f"all 1 pinned connections to {nodes[0].endpoint} are in use"
    assert await Called(upstream).answer() == (None, PINS_FULL.line(place))
    assert upstream.cluster.failures == {"pins_full": 1}
    waiting.call.cancel()
