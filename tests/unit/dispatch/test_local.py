"""What rproxy answers itself, in Redis's words."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from rproxy.commands.lookup import SPECS
from rproxy.commands.spec import Plan
from rproxy.dispatch.local import LOCAL
from rproxy.dispatch.session import Session
from rproxy.resp import encode
from rproxy.topology.snapshot import Topology
from tests.support.dispatch import Dispatch

NAME_REFUSED = b"-ERR Client names cannot contain spaces, newlines or special characters.\r\n"


@pytest.fixture
async def local(make_dispatch: Callable[..., Dispatch]) -> Dispatch:
    """A dispatcher that has no node to ask."""
    return make_dispatch({"main": Topology.empty()})


def greeting(protocol: int, number: int = 1) -> bytes:
    facts: dict[bytes, encode.Value] = {b"server": b"redis", b"version": b"7.0.15", b"proto": protocol}
    facts |= {b"id": number, b"mode": b"standalone", b"role": b"master", b"modules": []}
    return encode.reply(facts, protocol)


def test_every_local_row_has_a_handler_and_every_handler_a_row() -> None:
    assert {spec.name for spec in SPECS if spec.plan == Plan.LOCAL} == set(LOCAL)


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (["PING"], b"+PONG\r\n"),
        (["ping", "\r\n"], b"$2\r\n\r\n\r\n"),
        (["ECHO", ""], b"$0\r\n\r\n"),
        (["SELECT", "0"], b"+OK\r\n"),
        (["SELECT", "1"], b"-ERR SELECT is not allowed in cluster mode\r\n"),
        (["SELECT", "x"], b"-ERR value is not an integer or out of range\r\n"),
        (["SELECT", "+0"], b"-ERR value is not an integer or out of range\r\n"),
        (
            ["SELECT", "2147483648"],
            b"-ERR value is out of range, value must between -2147483648 and 2147483647\r\n",
        ),
        (["READONLY"], b"+OK\r\n"),
        (["READWRITE"], b"+OK\r\n"),
        (["ASKING"], b"+OK\r\n"),
        (["CLIENT", "ID"], b":1\r\n"),
        (["CLIENT", "GETNAME"], b"$-1\r\n"),
        (["QUIT"], b"+OK\r\n"),
        (["RESET"], b"+RESET\r\n"),
        (["COMMAND", "COUNT", "x"], b"-ERR wrong number of arguments for 'command|count' command\r\n"),
        (["COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"], b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
        (["COMMAND", "GETKEYS", "PING", "x"], b"-ERR The command has no key arguments\r\n"),
        (["COMMAND", "INFO", "nope"], b"*1\r\n$-1\r\n"),
    ],
)
async def test_a_local_command_is_answered_at_once(local: Dispatch, command: list[str], reply: bytes) -> None:
    token = local.send(*command)
    assert local.replies.of(token) == [reply]


async def test_what_was_answered_is_counted_by_name(local: Dispatch) -> None:
    for command in (["PING"], ["ping", "x"], ["CLIENT", "SETNAME", "x"], ["PING", "a", "b"], ["CLIENT", "NOPE"]):
        await local.call(*command)
    assert local.context.local_commands == {"ping": 3, "client|setname": 1}


async def test_the_time_is_the_proxys(local: Dispatch) -> None:
    before = time.time()
    _, _, seconds, _, microseconds, _ = (await local.call("TIME")).split(b"\r\n")
    assert int(before * 1e6) <= int(seconds) * 1_000_000 + int(microseconds) <= time.time() * 1e6


async def test_only_quitting_ends_a_session(local: Dispatch) -> None:
    await local.call("RESET")
    assert not local.session.is_quitting
    await local.call("QUIT")
    assert local.session.is_quitting


# -- HELLO


async def test_hello_changes_the_protocol(local: Dispatch) -> None:
    assert await local.call("HELLO") == greeting(2)
    assert await local.call("HELLO", "3") == greeting(3)
    assert local.session.protocol == 3
    assert await local.call("HELLO") == greeting(3)
    assert await local.call("CLIENT", "GETNAME") == b"_\r\n"
    assert await local.call("HELLO", "2") == greeting(2)
    assert local.session.protocol == 2


async def test_hello_shows_the_clients_number(local: Dispatch) -> None:
    assert await local.call("HELLO", "3", session=Session(77, "", "", 0.0)) == greeting(3, 77)


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        (["4"], b"-NOPROTO unsupported protocol version\r\n"),
        (["-2"], b"-NOPROTO unsupported protocol version\r\n"),
        (["x"], b"-ERR Protocol version is not an integer or out of range\r\n"),
        (["3", "NOPE"], b"-ERR Syntax error in HELLO option 'NOPE'\r\n"),
        (["3", "SETNAME"], b"-ERR Syntax error in HELLO option 'SETNAME'\r\n"),
        (["3", "SETNAME", "a b"], NAME_REFUSED),
    ],
)
async def test_a_hello_that_is_refused_changes_no_protocol(local: Dispatch, options: list[str], refusal: bytes) -> None:
    assert await local.call("HELLO", *options) == refusal
    assert local.session.protocol == 2


async def test_hello_can_name_the_client(local: Dispatch) -> None:
    await local.call("HELLO", "2", "setname", "me")
    assert await local.call("CLIENT", "GETNAME") == b"$2\r\nme\r\n"


async def test_a_reset_forgets_name_and_protocol(local: Dispatch) -> None:
    await local.call("HELLO", "3", "SETNAME", "me")
    await local.call("RESET")
    assert await local.call("CLIENT", "GETNAME") == b"$-1\r\n"


# -- CLIENT


async def test_a_client_can_be_named_and_unnamed(local: Dispatch) -> None:
    assert await local.call("CLIENT", "SETNAME", "me") == b"+OK\r\n"
    assert await local.call("client", "getname") == b"$2\r\nme\r\n"
    assert await local.call("CLIENT", "SETNAME", "a\nb") == NAME_REFUSED
    assert await local.call("CLIENT", "GETNAME") == b"$2\r\nme\r\n"
    assert await local.call("CLIENT", "SETNAME", "") == b"+OK\r\n"
    assert await local.call("CLIENT", "GETNAME") == b"$-1\r\n"


async def test_a_library_can_present_itself(local: Dispatch) -> None:
    assert await local.call("CLIENT", "SETINFO", "lib-name", "redis-py") == b"+OK\r\n"
    assert await local.call("CLIENT", "SETINFO", "LIB-VER", "5.0") == b"+OK\r\n"
    assert (local.session.library_name, local.session.library_version) == (b"redis-py", b"5.0")
    assert await local.call("CLIENT", "SETINFO", "LIB-VER", "5 0") == (
        b"-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n"
    )
    assert await local.call("CLIENT", "SETINFO", "NOPE", "5") == b"-ERR Unrecognized option 'NOPE'\r\n"
    assert (local.session.library_name, local.session.library_version) == (b"redis-py", b"5.0")


# -- COMMAND


async def test_commands_are_described_in_the_protocol_of_the_client(local: Dispatch) -> None:
    assert (await local.call("COMMAND", "DOCS", "GET")).startswith(b"*2\r\n$3\r\nget\r\n*")
    await local.call("HELLO", "3")
    assert (await local.call("COMMAND", "DOCS", "GET")).startswith(b"%1\r\n$3\r\nget\r\n%")


async def test_the_count_of_commands_is_how_many_are_listed(local: Dispatch) -> None:
    count = int((await local.call("COMMAND", "COUNT"))[1:-2])
    assert (await local.call("COMMAND")).startswith(b"*%d\r\n*10\r\n" % count)
    assert 0 < count <= len([spec for spec in SPECS if b"|" not in spec.name])
