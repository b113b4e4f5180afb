"""What both transports promise, on real sockets, and the choice between them; accepting clients."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from rproxy.form import running_form
from rproxy.transport import attach as attaching
from rproxy.transport.attach import HAS_EPOLL, accept, adopt, attach, make_turn, stop_turn
from rproxy.transport.connection import Turn
from tests.support.fake_node import PATIENCE

BIG = 8_000_000


def test_the_compiled_form_has_its_own_epoll_set() -> None:
    assert (running_form() == "compiled") == HAS_EPOLL


# -- either transport


async def test_what_is_said_is_sent_at_the_end_of_the_turn(serve: Any) -> None:
    connection, far = await serve()
    connection.say(b"one ")
    connection.say(b"two")
    assert await far.read(7) == b"one two"
    assert connection.traffic.sent_bytes == 7
    assert connection.events == []


async def test_what_comes_is_received_whole(serve: Any) -> None:
    connection, far = await serve()
    await far.send(b"fir")
    await far.send(b"st\nsecond\nthi")
    await connection.until(lambda: b"second" in connection.received)
    await far.send(b"rd\n")
    await connection.until(lambda: b"third" in connection.received)
    assert connection.received == b"first\nsecond\nthird\n"
    assert connection.traffic.received_bytes == len(connection.received)


async def test_a_line_may_be_longer_than_any_buffer(serve: Any) -> None:
    connection, far = await serve()
    line = bytes(range(256)).replace(b"\n", b"") * 20_000 + b"\n"
    await asyncio.gather(far.send(line), connection.until(lambda: connection.received))
    assert connection.received == line
    assert (connection.inbox, connection.filled) == (None, 0)


async def test_a_peer_that_does_not_read_holds_up_only_itself(serve: Any) -> None:
    slow, far = await serve()
    quick, other = await serve()
    slow.say(b"x" * BIG)
    quick.say(b"abc")
    assert await other.read(3) == b"abc"
    assert slow.transport.backlog() + slow.outbox.unsent() > 0
    assert slow.events == []
    assert await far.read(BIG) == b"x" * BIG
    await slow.until(lambda: "sent" in slow.events)
    assert slow.transport.backlog() + slow.outbox.unsent() == 0
    assert slow.traffic.sent_bytes == BIG


async def test_who_awaits_it_is_told_when_everything_was_sent(serve: Any) -> None:
    connection, far = await serve()
    connection.awaits_sent = True
    connection.say(b"abc")
    await far.read(3)
    assert connection.events == ["sent"]


async def test_nothing_is_read_while_reading_is_paused(serve: Any) -> None:
    connection, far = await serve()
    marker, marking = await serve()
    connection.transport.pause_reading()
    connection.transport.pause_reading()
    await far.send(b"later\n")
    await marking.send(b"now\n")
    await marker.until(lambda: marker.received)
    assert connection.received == b""
    connection.transport.resume_reading()
    connection.transport.resume_reading()
    await connection.until(lambda: connection.received == b"later\n")


async def test_a_peer_that_ended_still_hears(serve: Any) -> None:
    connection, far = await serve()
    far.sock.shutdown(socket.SHUT_WR)
    await connection.until(lambda: connection.events)
    connection.say(b"bye")
    assert await far.read(3) == b"bye"
    assert connection.events == ["eof"]


async def test_a_reset_is_told_in_the_systems_words(serve: Any) -> None:
    connection, far = await serve()
    far.reset()
    await connection.until(lambda: connection.events)
    assert connection.events == ["lost: Connection reset by peer"]
    assert connection.transport is None


async def test_a_connection_that_closed_hears_no_more(serve: Any) -> None:
    connection, far = await serve()
    transport = connection.transport
    transport.close()
    transport.close()
    assert connection.transport is None
    assert await far.read(1) == b""
    await far.send(b"unread\n")
    assert (connection.received, connection.events) == (b"", [])
    transport.flush(connection)
    transport.pause_reading()
    transport.resume_reading()


async def test_a_connection_may_close_itself_while_it_reads(serve: Any) -> None:
    connection, far = await serve()
    connection.on_line = connection.transport.close
    await far.send(b"one\ntw")
    await connection.until(lambda: connection.received)
    assert await far.read(1) == b""
    assert (connection.inbox, connection.events) == (None, [])


async def test_requests_leave_before_replies(serve: Any, turn: Turn) -> None:
    node, node_end = await serve(is_upstream=True)
    client, client_end = await serve()
    client.on_line = lambda: (client.say(b"reply\n"), node.say(b"request\n"))
    order = []
    for connection, name in ((client, "client"), (node, "node")):
        connection.awaits_sent = True
        connection.on_sent = lambda name=name: order.append(name)
    await client_end.send(b"command\n")
    assert await client_end.read(6) == b"reply\n"
    assert await node_end.read(8) == b"request\n"
    assert order == ["node", "client"]


async def test_one_that_closes_before_it_is_served_leaves_no_socket(
    turn: Turn, pairs: Any, connection_type: Any
) -> None:
    """Asyncio takes some turns of the loop over a socket, and a connection may be closed in each."""
    near, far = await pairs()
    connection = connection_type(turn)
    adopt(turn, near, connection)
    connection.transport.close()
    with far:
        assert await asyncio.wait_for(turn.loop.sock_recv(far, 1), PATIENCE) == b""
    assert (connection.transport, connection.events) == (None, [])


async def test_one_that_closes_while_it_is_attached_leaves_no_socket(
    turn: Turn, pairs: Any, connection_type: Any
) -> None:
    near, far = await pairs()
    connection = connection_type(turn)
    attaching = turn.loop.create_task(attach(turn, near, connection))
    await asyncio.sleep(0)
    connection.transport.close()
    await attaching
    with far:
        assert await asyncio.wait_for(turn.loop.sock_recv(far, 1), PATIENCE) == b""
    assert (connection.transport, connection.events) == (None, [])


# -- the transport of this form


@pytest.fixture
async def own_turn() -> Any:
    made = make_turn(asyncio.get_running_loop())
    yield made
    stop_turn(made)


async def test_attach_owns_the_socket(own_turn: Turn, pairs: Any, connection_type: Any) -> None:
    near, far = await pairs()
    connection = connection_type(own_turn)
    await attach(own_turn, near, connection)
    with far:
        await own_turn.loop.sock_sendall(far, b"hello\n")
        await connection.until(lambda: connection.received == b"hello\n")
        connection.transport.close()
        assert await own_turn.loop.sock_recv(far, 1) == b""


async def test_adopt_serves_as_soon_as_may_be(own_turn: Turn, pairs: Any, connection_type: Any) -> None:
    near, far = await pairs()
    connection = connection_type(own_turn)
    adopt(own_turn, near, connection)
    with far:
        await own_turn.loop.sock_sendall(far, b"hello\n")
        await connection.until(lambda: connection.received == b"hello\n")
        connection.transport.close()


async def test_what_waits_is_accepted_or_refused(own_turn: Turn, connection_type: Any) -> None:
    made: list[Any] = []
    peers: list[object] = []

    def make_connection(sock: socket.socket, peer: object) -> Any:
        assert not sock.getblocking()
        peers.append(peer)
        if len(peers) == 2:
            return None
        made.append(connection_type(own_turn))
        return made[-1]

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        accept(own_turn, listening, make_connection)
        assert made == []
        clients = [socket.create_connection(listening.getsockname()) for _ in range(3)]
        for client in clients:
            client.setblocking(False)
        accept(own_turn, listening, make_connection)
    assert peers == [client.getsockname() for client in clients]
    assert await own_turn.loop.sock_recv(clients[1], 1) == b""
    for connection, client in zip(made, (clients[0], clients[2]), strict=True):
        await own_turn.loop.sock_sendall(client, b"hello\n")
        await connection.until(lambda: connection.received)  # noqa: B023 - awaited within the turn of the loop
        connection.transport.close()
    for client in clients:
        client.close()


async def test_a_turn_accepts_so_many_at_most(own_turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attaching, "ACCEPTS_PER_TURN", 2)
    seen = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        clients = [socket.create_connection(listening.getsockname()) for _ in range(3)]
        accept(own_turn, listening, lambda _, peer: seen.append(peer))
        assert len(seen) == 2
        accept(own_turn, listening, lambda _, peer: seen.append(peer))
        assert len(seen) == 3
    for client in clients:
        client.close()


async def test_a_socket_that_cannot_accept_is_told_of(own_turn: Turn) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    listening.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        accept(own_turn, listening, lambda *_: None)
