"""Who comes in, who is refused, and who has to leave."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rproxy.config.certificates import Certificates
from rproxy.config.tls_sections import ServerTlsConfig
from rproxy.downstream import listener as listener_module
from rproxy.topology.snapshot import Topology
from tests.support.certificates import Authority
from tests.support.client import pack
from tests.support.downstream import Client, Downstream
from tests.support.fake_node import SILENCE, FakeNode, echo

Make = Callable[..., Downstream]


@pytest.fixture
async def node(start_node: Any) -> FakeNode:
    node: FakeNode = await start_node({"GET": echo})
    return node


@pytest.fixture
async def make(make_downstream: Make, node: FakeNode) -> Make:
    """Makes a listener before one node, with the limits that are given."""
    return lambda **limits: make_downstream({"main": Topology.standalone(node.endpoint)}, limits=limits)


async def test_every_client_has_a_session_of_its_own(make: Make) -> None:
    downstream = make()
    clients = [await downstream.client() for _ in range(3)]
    assert sorted([await client.call("CLIENT", "ID") for client in clients]) == [b":1\r\n", b":2\r\n", b":3\r\n"]
    await clients[0].call("CLIENT", "SETNAME", "first")
    assert await clients[1].call("CLIENT", "GETNAME") == b"$-1\r\n"
    sessions = [connection.session for connection in downstream.listener.connections]
    assert {session.address for session in sessions} == {client.address for client in clients}
    assert {session.local_address for session in sessions} == {downstream.address}


@pytest.mark.parametrize(
    ("address", "text"),
    [(("127.0.0.1", 80), "127.0.0.1:80"), (("::1", 80, 0, 0), "[::1]:80"), ("/path", "/path"), ("", "unix")],
)
def test_addresses_are_shown_as_they_are_written(address: object, text: str) -> None:
    assert listener_module._address_text(address) == text


async def test_clients_are_counted(make: Make) -> None:
    downstream = make()
    traffic = downstream.listener.traffic
    first, second = await downstream.client(), await downstream.client()
    await first.call("PING")
    await second.call("PING")
    assert (traffic.opened, traffic.active) == (2, 2)
    first.close()
    await downstream.until(lambda: traffic.active == 1)
    second.reset()
    await downstream.until(lambda: traffic.active == 0)
    assert traffic.opened == 2


async def test_one_client_too_many_is_told_so_and_closed(make: Make) -> None:
    downstream = make(max_clients=2)
    clients = [await downstream.client() for _ in range(2)]
    for client in clients:
        await client.call("PING")
    refused = await downstream.client()
    assert await refused.rest() == b"-ERR max number of clients reached\r\n"
    assert downstream.listener.rejected == 1
    assert downstream.listener.traffic.opened == 2
    clients[0].close()
    await downstream.until(lambda: len(downstream.listener.connections) == 1)
    assert await (await downstream.client()).call("PING") == b"+PONG\r\n"


# -- silence


async def heard(downstream: Downstream) -> tuple[Client, float]:
    """A client that has said something, and when that was."""
    client = await downstream.client()
    await client.call("PING")
    return client, (await downstream.connection()).heard_at


async def test_a_client_that_is_silent_for_too_long_is_closed(make: Make) -> None:
    downstream = make(client_idle_timeout=30)
    client, heard_at = await heard(downstream)
    downstream.listener.tick(heard_at + 29)
    assert len(downstream.listener.connections) == 1
    downstream.listener.tick(heard_at + 32)
    assert not downstream.listener.connections
    assert await client.rest() == b""


async def test_a_client_that_waits_for_a_reply_is_not_silent(make: Make, node: FakeNode) -> None:
    downstream = make(client_idle_timeout=30)
    client, heard_at = await heard(downstream)
    node.answers["GET"] = SILENCE
    client.send(pack("GET", "b"))
    await node.heard("GET")
    downstream.listener.tick(heard_at + 1000)
    assert len(downstream.listener.connections) == 1


@pytest.mark.parametrize("half", [b"*2\r\n$3\r\nGET\r\n$1\r\n", b"*", b"GET a", pack("MULTI") + b"*1\r\n"])
async def test_who_owes_half_a_command_for_too_long_is_closed(make: Make, half: bytes) -> None:
    downstream = make(half_command_timeout=20)
    client, _ = await heard(downstream)
    connection = await downstream.connection()
    client.send(half)
    await downstream.until(connection.is_mid_command)
    downstream.listener.tick(connection.heard_at + 19)
    assert downstream.listener.connections
    downstream.listener.tick(connection.heard_at + 21)
    assert not downstream.listener.connections
    assert downstream.listener.given_up["half"] == 1


async def test_who_leaves_takes_along_what_was_read_of_it(make: Make) -> None:
    downstream = make()
    client = await downstream.client()
    client.send(b"*2\r\n$3\r\nGET\r\n$1000\r\n" + b"x" * 900)
    connection = await downstream.connection()
    await downstream.until(connection.is_mid_command)
    assert connection.unread()
    client.close()
    await downstream.until(lambda: not downstream.listener.connections)
    assert (connection.unread(), connection.filled, connection.outbox.unsent()) == (b"", 0, 0)


async def test_half_a_command_behind_one_that_waits_is_not_owed(make: Make, node: FakeNode) -> None:
    downstream = make(half_command_timeout=20)
    client, _ = await heard(downstream)
    node.answers["GET"] = SILENCE
    client.send(pack("GET", "b") + b"*2\r\n")
    await node.heard("GET")
    (connection,) = downstream.listener.connections
    downstream.listener.tick(connection.heard_at + 1000)
    assert downstream.listener.connections


async def test_without_a_limit_silence_lasts(make: Make) -> None:
    downstream = make(half_command_timeout=0)
    client, heard_at = await heard(downstream)
    client.send(b"*1\r\n")
    await downstream.until((await downstream.connection()).is_mid_command)
    downstream.listener.tick(heard_at + 1e9)
    assert len(downstream.listener.connections) == 1


# -- opening and closing


async def test_a_listener_that_finishes_answers_what_was_asked_and_takes_no_one(make: Make, node: FakeNode) -> None:
    downstream = make()
    busy, idle = await downstream.client(), await downstream.client()
    await idle.call("PING")
    busy.send(pack("GET", "b") * 3)
    await node.heard("GET", 3)
    downstream.listener.finish()
    assert await busy.rest() == b"$1\r\nb\r\n" * 3
    assert await idle.rest() == b""
    assert not downstream.listener.connections
    with pytest.raises(ConnectionRefusedError):
        await downstream.client()


async def test_a_listener_that_closes_drops_its_clients(make: Make, node: FakeNode) -> None:
    downstream = make()
    node.answers["GET"] = SILENCE
    client = await downstream.client()
    client.send(pack("GET", "b"))
    await node.heard("GET")
    downstream.listener.close()
    assert await client.rest() == b""


async def test_a_client_that_comes_while_nobody_accepts_is_served_later(make: Make) -> None:
    downstream = make()
    downstream.listener.stop_accepting()
    client = await downstream.client()
    client.send(pack("PING"))
    assert not downstream.listener.connections
    downstream.listener.open()
    assert await client.reply() == b"+PONG\r\n"


async def test_accepting_goes_on_after_the_system_had_no_descriptor_left(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    downstream = make()
    refused = []

    def refuse_once(*arguments: Any) -> None:
        refused.append(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
        monkeypatch.undo()
        raise refused[0]

    monkeypatch.setattr(listener_module, "accept", refuse_once)
    client = await downstream.client()
    assert await client.call("PING") == b"+PONG\r\n"
    assert len(refused) == 1
    assert "listener redis cannot accept: Too many open files" in caplog.text


async def test_no_one_is_accepted_again_once_the_listener_has_stopped(make: Make) -> None:
    downstream = make()
    downstream.listener.stop_accepting()
    downstream.listener._accept_again()
    await downstream.client()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not downstream.listener.connections


# -- a client that another worker accepted


async def test_a_client_that_was_handed_over_is_served(make: Make) -> None:
    downstream = make()
    ours, theirs = socket.socketpair()
    downstream.listener.adopt(theirs)
    ours.setblocking(False)
    await downstream.turn.loop.sock_sendall(ours, b"PING\r\n")
    assert await downstream.turn.loop.sock_recv(ours, 100) == b"+PONG\r\n"
    ours.close()
    await downstream.until(lambda: not downstream.listener.connections)


async def test_a_client_that_was_handed_over_and_is_gone_is_forgotten(make: Make) -> None:
    downstream = make()
    listening = socket.create_server(("127.0.0.1", 0))
    gone = socket.create_connection(listening.getsockname())
    accepted, _ = listening.accept()
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    gone.close()
    listening.close()
    downstream.listener.adopt(accepted)
    assert not downstream.listener.connections
    assert accepted.fileno() == -1


async def test_a_balance_is_told_of_every_client(make: Make) -> None:
    class Balance:
        changes: list[int] = []  # noqa: RUF012
        handed_over: list[str] = []  # noqa: RUF012

        def count(self, change: int) -> None:
            self.changes.append(change)

        def hand_over(self, name: str, sock: socket.socket) -> bool:
            self.handed_over.append(name)
            return len(self.handed_over) == 1

    downstream = make()
    balance = Balance()
    downstream.listener._balance = balance
    elsewhere = await downstream.client()
    assert await elsewhere.rest() == b""
    client = await downstream.client()
    assert await client.call("PING") == b"+PONG\r\n"
    client.close()
    await downstream.until(lambda: balance.changes == [1, -1])
    assert balance.handed_over == ["redis", "redis"]


async def test_a_listener_that_finishes_waits_for_no_handshake(make: Make, tmp_path: Path) -> None:
    downstream = make()
    tls = Authority(tmp_path).sign("server").section
    downstream.listener.tls = Certificates(ServerTlsConfig.model_validate(tls), "listener redis")
    client = await downstream.client()
    await downstream.connection()
    downstream.listener.finish()
    await downstream.until(lambda: not downstream.listener.connections)
    assert await client.rest() == b""
