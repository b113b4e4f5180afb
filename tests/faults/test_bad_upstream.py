"""Nodes that talk nonsense: the connection is failed, the client gets an error, and nobody else is disturbed."""

from collections.abc import AsyncIterator

import pytest

from tests.support.dispatch import Dispatch
from tests.support.fake_node import FakeNode, echo
from tests.support.upstream import OP_TIMEOUT, topology_of

LOW, HIGH = "bar", "foo"
"""A key of the first of two shards, and one of the second."""
GARBAGE = {
    "no RESP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a length that is no number": b"$x\r\nabc\r\n",
    "a negative length": b"$-7\r\n",
    "a length beyond all bounds": b"$99999999999999999999\r\n",
    "a count beyond all bounds": b"*99999999999999999999\r\n",
    "a value without its end": b"$3\r\nabcdefgh\r\n",
    "no line end": b"+" + b"x" * 200_000,
    "nesting without end": b"*1\r\n" * 100_000,
}


@pytest.fixture
async def good() -> AsyncIterator[FakeNode]:
    async with FakeNode({"GET": echo}) as node:
        yield node


@pytest.mark.parametrize("said", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_is_an_error_and_nothing_of_it_reaches_the_client(good: FakeNode, said: bytes) -> None:
    async with FakeNode({"GET": said}) as bad:
        dispatch = Dispatch({"main": topology_of((bad.endpoint,), (good.endpoint,))}, op_timeout=OP_TIMEOUT)
        try:
            reply = await dispatch.call("GET", LOW)
            assert reply.startswith(b"-ERR upstream ")
            assert await dispatch.call("GET", HIGH) == b"$3\r\nfoo\r\n"
        finally:
            await dispatch.close()
