"""Clients go from one listener to another, which has their connections from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from rproxy.server import parcels
from rproxy.server.hand_over import HandOver
from rproxy.server.heritage import Heritage
from rproxy.topology.snapshot import Topology
from tests.support.client import pack
from tests.support.downstream import Downstream
from tests.support.fake_node import PATIENCE, Command, FakeNode, echo

Make = Callable[..., Downstream]
StartNode = Callable[..., object]


class Pair:
    """The listener that has the clients, and the one that is to have them."""

    def __init__(self, make: Make, node: FakeNode) -> None:
        topology = Topology.standalone(node.endpoint)
        self.old, self.new = make({"main": topology}), make({"main": topology})
        self.inbox, self.heir = parcels.pair()
        self.heritage = Heritage(self.inbox, lambda name: self.new.listener if name == "redis" else None)

    async def hand_over(self, seconds: float = PATIENCE) -> None:
        await HandOver([self.old.listener], [self.heir]).run(seconds)

    def counts(self) -> tuple[int, int]:
        return len(self.old.listener.connections), len(self.new.listener.connections)


@pytest.fixture
async def gate() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def node(start_node: object, gate: asyncio.Event) -> FakeNode:
    async def later(command: Command) -> bytes:
        await gate.wait()
        return echo(command)

    node: FakeNode = await start_node({"GET": echo, "GETDEL": later})  # type: ignore[operator]
    return node


@pytest.fixture
async def pair(make_downstream: Make, node: FakeNode) -> Pair:
    return Pair(make_downstream, node)


async def test_a_client_between_two_commands_goes_on_as_who_it_was(pair: Pair) -> None:
    client = await pair.old.client()
    await client.call("CLIENT", "SETNAME", "me")
    assert (await client.call("HELLO", "3")).startswith(b"%")
    await pair.hand_over()
    assert await client.call("CLIENT", "GETNAME") == b"$2\r\nme\r\n"
    assert await client.call("GET", "a") == b"$1\r\na\r\n"
    assert pair.counts() == (0, 1)
    (connection,) = pair.new.listener.connections
    assert connection.session.protocol == 3
    pair.heritage.close()


async def test_who_waits_for_replies_gets_them_first(pair: Pair, node: FakeNode, gate: asyncio.Event) -> None:
    client = await pair.old.client()
    client.send(pack("GETDEL", "a") + pack("GET", "b"))
    await node.heard("GETDEL")
    handing = asyncio.create_task(pair.hand_over())
    await asyncio.sleep(0.02)
    client.send(pack("GET", "c") + pack("GET", "d"))
    await asyncio.sleep(0.02)
    assert pair.counts() == (1, 0)
    gate.set()
    assert [await client.reply() for _ in range(4)] == [b"$1\r\n%b\r\n" % key for key in (b"a", b"b", b"c", b"d")]
    await handing
    assert pair.counts() == (0, 1)
    assert node.count("GET") == 3
    pair.heritage.close()


async def test_half_a_command_goes_with_its_client(pair: Pair) -> None:
    client = await pair.old.client()
    command = pack("GET", "whole")
    client.send(command[:-9])
    connection = await pair.old.connection()
    await pair.old.until(lambda: connection.filled)
    await pair.hand_over()
    client.send(command[-9:])
    assert await client.reply() == b"$5\r\nwhole\r\n"
    pair.heritage.close()


async def test_a_transaction_is_finished_first(pair: Pair) -> None:
    client = await pair.old.client()
    await client.call("MULTI")
    handing = asyncio.create_task(pair.hand_over())
    await asyncio.sleep(0.05)
    assert pair.counts() == (1, 0)
    assert await client.call("DISCARD") == b"+OK\r\n"
    await handing
    assert await client.call("GET", "a") == b"$1\r\na\r\n"
    assert pair.counts() == (0, 1)
    pair.heritage.close()


async def test_who_does_not_come_to_an_end_stays(pair: Pair) -> None:
    client = await pair.old.client()
    await client.call("MULTI")
    await pair.hand_over(0.05)
    assert pair.counts() == (1, 0)
    assert await client.call("DISCARD") == b"+OK\r\n"
    pair.heritage.close()


async def test_who_is_blocked_goes_on_to_wait_elsewhere(pair: Pair, node: FakeNode) -> None:
    unblocked = asyncio.Event()

    async def pop(_: Command) -> bytes:
        if node.count("BLPOP") > 1:
            return b"*2\r\n$4\r\nlist\r\n$4\r\nhere\r\n"
        await unblocked.wait()
        return b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"

    def unblock(_: Command) -> bytes:
        unblocked.set()
        return b":1\r\n"

    node.answers |= {"BLPOP": pop, "CLIENT ID": b":7\r\n", "CLIENT UNBLOCK": unblock}
    client = await pair.old.client()
    client.send(pack("BLPOP", "list", "0") + pack("GET", "a"))
    await node.heard("BLPOP")
    await pair.hand_over()
    assert pair.counts() == (0, 1)
    assert await client.reply() == b"*2\r\n$4\r\nlist\r\n$4\r\nhere\r\n"
    assert await client.reply() == b"$1\r\na\r\n"
    pair.heritage.close()


async def test_scripts_are_known_elsewhere(pair: Pair) -> None:
    bodies = [b"return 1", b"return '\xff'"]
    for body in bodies:
        pair.old.context.scripts.remember(body)
    client = await pair.old.client()
    await client.call("GET", "a")
    await pair.hand_over()
    await pair.new.until(lambda: pair.new.listener.connections)
    assert pair.new.context.scripts.bodies() == bodies
    pair.heritage.close()


async def test_without_anybody_to_take_them_clients_are_served_on(
    pair: Pair, node: FakeNode, gate: asyncio.Event, caplog: pytest.LogCaptureFixture
) -> None:
    idle, busy = await pair.old.client(), await pair.old.client()
    await idle.call("GET", "a")
    busy.send(pack("GETDEL", "a"))
    await node.heard("GETDEL")
    pair.heritage.close()
    await pair.hand_over(5.0)
    assert "a worker of the other rproxy is gone" in caplog.text
    busy.send(pack("GET", "b"))
    gate.set()
    assert [await busy.reply() for _ in range(2)] == [b"$1\r\na\r\n", b"$1\r\nb\r\n"]
    assert await idle.call("GET", "a") == b"$1\r\na\r\n"
