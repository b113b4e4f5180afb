from __future__ import annotations

from collections.abc import Callable

import pytest

from rproxy.dispatch.client_pause import BAD_MODE, BAD_TIMEOUT, NEGATIVE
from rproxy.topology.snapshot import Topology
from tests.support.downstream import Downstream


@pytest.fixture
async def served(make_downstream: Callable[..., Downstream], topology: Topology) -> Downstream:
    return make_downstream({"main": topology})


@pytest.mark.parametrize(
    ("options", "reply"),
    [
        (["x"], BAD_TIMEOUT),
        (["-1"], NEGATIVE),
        (["5", "foo"], BAD_MODE),
        (
            ["5", "ALL", "x"],
            b"-ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.\r\n",
        ),
        (["0"], b"+OK\r\n"),
    ],
)
async def test_how_long_and_what(served: Downstream, options: list[str], reply: bytes) -> None:
    client = await served.client()
    assert await client.call("CLIENT", "PAUSE", *options) == reply


async def test_writes_wait_until_the_pause_is_over_and_keep_their_order(served: Downstream) -> None:
    first, second = await served.client(), await served.client()
    assert await first.call("CLIENT", "PAUSE", "100000", "WRITE") == b"+OK\r\n"
    late = await served.client()
    second.send(b"PING\r\nDEL a\r\nPING\r\n")
    late.send(b"EXISTS a\r\nDEL a\r\nPING\r\n")
    assert (await second.reply(), await late.reply()) == (b"+PONG\r\n", b":1\r\n")
    assert await first.call("GET", "a") == b"$1\r\na\r\n"
    assert await first.call("CLIENT", "UNPAUSE") == b"+OK\r\n"
    for client in (second, late):
        assert [await client.reply(), await client.reply()] == [b":1\r\n", b"+PONG\r\n"]
    assert all(connection.session.is_plain for connection in served.listener.connections)


async def test_everything_waits_until_its_time_is_over(served: Downstream) -> None:
    first, second = await served.client(), await served.client()
    began = served.turn.tick()
    assert await first.call("CLIENT", "PAUSE", "300") == b"+OK\r\n"
    assert await second.call("PING") == b"+PONG\r\n"
    assert served.turn.tick() - began >= 0.3
    assert all(connection.session.is_plain for connection in served.listener.connections)


async def test_a_client_that_leaves_waits_no_more(served: Downstream) -> None:
    first, second = await served.client(), await served.client()
    await second.call("PING")
    assert await first.call("CLIENT", "PAUSE", "100000", "WRITE") == b"+OK\r\n"
    second.send(b"DEL a\r\n")
    await served.until(lambda: any(connection.session.is_held for connection in served.listener.connections))
    second.close()
    await served.until(lambda: len(served.listener.connections) == 1)
    assert await first.call("CLIENT", "UNPAUSE") == b"+OK\r\n"
    assert await first.call("DEL", "a") == b":1\r\n"
