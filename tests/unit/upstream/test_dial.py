"""Dialing scripted nodes: connecting, the handshake, questions, time limits, and what failures say."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import hiredis
import pytest

from rproxy.config.models import ClusterConfig
from rproxy.topology.snapshot import Endpoint
from rproxy.upstream.dial import DialError, ask, dial, handshake
from tests.support.fake_node import CLOSE, SILENCE

SECRET = "correct horse"
HERE = Endpoint("redis-1", 6379)


def settings(**keys: Any) -> ClusterConfig:
    return ClusterConfig.model_validate({"name": "main", "endpoints": ["127.0.0.1:1"], **keys})


@pytest.mark.parametrize(
    ("keys", "is_readonly", "is_resp3", "commands"),
    [
        ({}, False, False, []),
        ({}, True, False, [[b"READONLY"]]),
        ({}, False, True, [[b"HELLO", b"3"]]),
        ({"password": SECRET}, False, False, [[b"AUTH", b"correct horse"]]),
        (
            {"password": SECRET, "username": "app"},
            True,
            True,
            [[b"AUTH", b"app", b"correct horse"], [b"HELLO", b"3"], [b"READONLY"]],
        ),
    ],
)
def test_the_handshake_authenticates_first(
    keys: dict[str, str], is_readonly: bool, is_resp3: bool, commands: list[list[bytes]]
) -> None:
    assert handshake(settings(**keys), HERE, is_readonly, is_resp3) == commands


@pytest.mark.parametrize(
    ("auth", "commands"),
    [
        ({"endpoint": "redis-1:6379", "password": "own"}, [[b"AUTH", b"own"]]),
        ({"endpoint": "redis-1:6379", "username": "me", "password": "own"}, [[b"AUTH", b"me", b"own"]]),
        ({"endpoint": "redis-1:6379"}, []),
        ({"endpoint": "redis-2:6379", "password": "own"}, [[b"AUTH", b"app", b"correct horse"]]),
    ],
)
def test_an_endpoint_may_want_another_password(auth: dict[str, str], commands: list[list[bytes]]) -> None:
    assert handshake(settings(username="app", password=SECRET, endpoint_auth=[auth]), HERE) == commands


async def test_a_dialed_socket_is_ready_after_its_handshake(start_node: Any) -> None:
    node = await start_node()
    sock = await dial(node.endpoint, [[b"AUTH", b"x"], [b"READONLY"]], 1.0)
    with sock:
        assert node.received == [(b"AUTH", b"x"), (b"READONLY",)]
        assert not sock.getblocking()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_without_a_handshake_nothing_is_said(start_node: Any) -> None:
    node = await start_node()
    (await dial(node.endpoint, [], 1.0)).close()
    assert node.received == []


async def test_a_refused_password_is_told_without_the_password(start_node: Any) -> None:
    node = await start_node({"AUTH": b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"})
    with pytest.raises(DialError) as caught:
        await dial(node.endpoint, handshake(settings(password=SECRET, username="app"), node.endpoint), 1.0)
    assert str(caught.value) == "AUTH was refused: WRONGPASS invalid username-password pair or user is disabled."
    assert SECRET not in str(caught.value)


async def test_any_refused_command_spoils_the_connection(start_node: Any) -> None:
    node = await start_node({"HELLO": b"-NOPROTO unsupported protocol version\r\n"})
    with pytest.raises(DialError) as caught:
        await dial(node.endpoint, [[b"HELLO", b"3"], [b"READONLY"]], 1.0)
    await node.until_closed(0)
    assert str(caught.value) == "HELLO was refused: NOPROTO unsupported protocol version"


async def test_nobody_listens() -> None:
    with pytest.raises(DialError, match="Connection refused"):
        await dial(Endpoint("127.0.0.1", 1), [], 1.0)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "a" * 64 + ".b"])
async def test_a_name_that_cannot_be_resolved(host: str) -> None:
    with pytest.raises(DialError):
        await dial(Endpoint(host, 6379), [], 3.0)


async def test_the_next_address_of_a_name_is_tried(start_node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    node = await start_node()
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in (1, node.endpoint.port)]

    async def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        return found

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    (await dial(Endpoint("two.addresses", 6379), [[b"READONLY"]], 1.0)).close()
    assert node.received == [(b"READONLY",)]


async def test_a_node_that_is_silent_is_not_waited_for(start_node: Any) -> None:
    node = await start_node({"READONLY": SILENCE})
    with pytest.raises(DialError, match=r"no connection within 0\.05 s"):
        await dial(node.endpoint, [[b"READONLY"]], 0.05)


async def test_a_node_that_closes(start_node: Any) -> None:
    node = await start_node({"READONLY": CLOSE})
    with pytest.raises(DialError, match="closed by the node"):
        await dial(node.endpoint, [[b"READONLY"]], 1.0)


async def test_a_server_that_is_no_redis(start_node: Any) -> None:
    node = await start_node({"READONLY": b"HTTP/1.1 400 Bad Request\r\n\r\n"})
    with pytest.raises(DialError, match="not a Redis server"):
        await dial(node.endpoint, [[b"READONLY"]], 1.0)


async def test_questions_are_answered_after_the_handshake(start_node: Any) -> None:
    node = await start_node({"CLUSTER SLOTS": (b"*1\r\n", b"*1\r", b"\n:5\r\n"), "CLUSTER INFO": b"-ERR no\r\n"})
    questions = ([b"CLUSTER", b"SLOTS"], [b"CLUSTER", b"INFO"])
    slots, info = await ask(node.endpoint, [[b"AUTH", b"x"]], questions, 1.0, 1.0)
    assert slots == [[5]]
    assert isinstance(info, hiredis.ReplyError)
    assert node.received == [(b"AUTH", b"x"), (b"CLUSTER", b"SLOTS"), (b"CLUSTER", b"INFO")]


async def test_an_answer_that_does_not_come_in_time(start_node: Any) -> None:
    node = await start_node({"PING": SILENCE})
    with pytest.raises(DialError, match=r"no answer within 0\.05 s"):
        await ask(node.endpoint, [], [[b"PING"]], 1.0, 0.05)
