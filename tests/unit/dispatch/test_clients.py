from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from rproxy.topology.snapshot import Topology
from tests.support.downstream import Client, Downstream

LINE = re.compile(
    rb"id=(\d+) addr=(127\.0\.0\.1:\d+) laddr=127\.0\.0\.1:\d+ fd=\d+ name=(\w*) age=\d+ idle=\d+ flags=(\w+) db=0 "
    rb"sub=0 psub=0 ssub=0 multi=(-?\d+) qbuf=\d+ qbuf-free=\d+ argv-mem=0 multi-mem=\d+ rbs=\d+ rbp=\d+ obl=\d+ "
    rb"oll=0 omem=0 tot-mem=\d+ events=r cmd=([^ ]+) user=default redir=-1 resp=(\d) lib-name=(\w*) lib-ver=([\w.]*)\n"
)


@pytest.fixture
async def served(make_downstream: Callable[..., Downstream]) -> Downstream:
    """A listener that has no node to ask."""
    return make_downstream({"main": Topology.empty()})


async def clients_of(served: Downstream, count: int) -> list[Client]:
    clients = [await served.client() for _ in range(count)]
    for client in clients:
        assert await client.call("PING") == b"+PONG\r\n"
    return clients


async def lines(client: Client, *options: str) -> list[tuple[bytes, ...]]:
    return LINE.findall(await client.call("CLIENT", "LIST", *options))


async def test_every_client_has_its_line(served: Downstream) -> None:
    first, second = await clients_of(served, 2)
    await second.call("CLIENT", "SETNAME", "bob")
    await second.call("CLIENT", "SETINFO", "LIB-NAME", "lib")
    await second.call("CLIENT", "SETINFO", "LIB-VER", "1.2")
    await second.call("MULTI")
    await second.call("PING")
    address = [client.address.encode() for client in (first, second)]
    assert await lines(first) == [
        (b"1", address[0], b"", b"N", b"-1", b"client|list", b"2", b"", b""),
        (b"2", address[1], b"bob", b"x", b"1", b"ping", b"2", b"lib", b"1.2"),
    ]


async def test_a_client_sees_its_own_line(served: Downstream) -> None:
    (client,) = await clients_of(served, 1)
    await client.call("CLIENT", "NO-EVICT", "ON")
    (line,) = LINE.findall(await client.call("CLIENT", "INFO"))
    assert (line[3], line[5]) == (b"e", b"client|info")


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["ID", "2", "9", "1"], [b"1", b"2"]),
        (["TYPE", "Normal"], [b"1", b"2", b"3"]),
        (["TYPE", "pubsub"], []),
        (["TYPE", "master"], []),
    ],
)
async def test_some_clients_are_listed(served: Downstream, options: list[str], numbers: list[bytes]) -> None:
    client, *_ = await clients_of(served, 3)
    assert [line[0] for line in await lines(client, *options)] == numbers


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("LIST TYPE foo", b"-ERR Unknown client type 'foo'\r\n"),
        ("LIST ID", b"-ERR syntax error\r\n"),
        ("LIST ID x", b"-ERR Invalid client ID\r\n"),
        ("LIST TYPE normal ID 3", b"-ERR syntax error\r\n"),
        ("KILL 1.2.3.4:5", b"-ERR No such client\r\n"),
        ("KILL ID", b"-ERR No such client\r\n"),
        ("KILL ID x", b"-ERR client-id should be greater than 0\r\n"),
        ("KILL ID 0", b"-ERR client-id should be greater than 0\r\n"),
        ("KILL TYPE foo", b"-ERR Unknown client type 'foo'\r\n"),
        ("KILL USER nobody", b"-ERR No such user 'nobody'\r\n"),
        ("KILL SKIPME maybe", b"-ERR syntax error\r\n"),
        ("KILL ADDR 1:1 LADDR", b"-ERR syntax error\r\n"),
        ("KILL MAXAGE 0", b"-ERR maxage is not an integer or out of range\r\n"),
        ("KILL TYPE master", b":0\r\n"),
        ("KILL MAXAGE 1000", b":0\r\n"),
        ("UNBLOCK x", b"-ERR value is not an integer or out of range\r\n"),
        ("UNBLOCK 99", b":0\r\n"),
        ("UNBLOCK 1 foo", b"-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n"),
    ],
)
async def test_what_is_asked_wrongly_or_concerns_nobody(served: Downstream, command: str, error: bytes) -> None:
    (client,) = await clients_of(served, 1)
    assert await client.call("CLIENT", *command.split()) == error
    assert await client.call("PING") == b"+PONG\r\n"


@pytest.mark.parametrize("filters", [["{addr}"], ["ADDR", "{addr}"], ["ID", "2", "USER", "default", "TYPE", "normal"]])
async def test_another_client_is_killed(served: Downstream, filters: list[str]) -> None:
    first, second, third = await clients_of(served, 3)
    reply = await first.call("CLIENT", "KILL", *(text.format(addr=second.address) for text in filters))
    assert reply == (b"+OK\r\n" if len(filters) == 1 else b":1\r\n")
    assert await second.rest() == b""
    assert [line[0] for line in await lines(third)] == [b"1", b"3"]


async def test_a_client_skips_itself_unless_told_otherwise(served: Downstream) -> None:
    first, second = await clients_of(served, 2)
    assert await first.call("CLIENT", "KILL", "LADDR", served.address) == b":1\r\n"
    assert await second.rest() == b""
    assert await first.call("CLIENT", "KILL", "LADDR", served.address, "SKIPME", "no") == b":1\r\n"
    assert await first.rest() == b""


async def test_a_blocked_client_is_unblocked(served: Downstream) -> None:
    (client,) = await clients_of(served, 1)
    session = (await served.connection()).session
    how: list[bool] = []

    def unblock(is_error: bool) -> bool:
        how.append(is_error)
        return True

    session.unblock = unblock
    assert await client.call("CLIENT", "UNBLOCK", "1") == b":1\r\n"
    assert await client.call("CLIENT", "UNBLOCK", "1", "ERROR") == b":1\r\n"
    assert how == [False, True]


async def test_replies_are_muted_in_the_order_of_commands(served: Downstream) -> None:
    (client,) = await clients_of(served, 1)
    client.send(b"GET a\r\nCLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\nECHO x\r\n")
    assert [await client.reply() for _ in range(3)][1:] == [b"+OK\r\n", b"$1\r\nx\r\n"]
