"""ACL and its subcommands, in both versions of RESP."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rproxy.acl.rules import user_of
from rproxy.acl.user import password_hash
from rproxy.acl.users import Users
from rproxy.commands.categories import CATEGORIES
from rproxy.dispatch.authentication import begin
from rproxy.resp import encode
from rproxy.topology.snapshot import Topology
from tests.support.dispatch import Dispatch

DIGEST = password_hash(b"pw").encode()
BITS = b"-ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096\r\n"
NO_INTEGER = b"-ERR value is not an integer or out of range\r\n"


@pytest.fixture
async def acl(make_dispatch: Callable[..., Dispatch]) -> Dispatch:
    """A dispatcher with a user ``app``, that has no node to ask."""
    dispatch = make_dispatch({"main": Topology.empty()})
    app = user_of("app", "on >pw ~a* %R~b &c +@read -get (~x +get)")
    dispatch.context.users = Users([user_of("default", "on nopass ~* &* +@all"), app])
    begin(dispatch.session, dispatch.context.users)
    return dispatch


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (["WHOAMI"], encode.bulk(b"default")),
        (["USERS"], encode.reply([b"app", b"default"])),
        (["CAT"], encode.reply([name.encode() for name in CATEGORIES])),
        (["CAT", "nope"], b"-ERR Unknown category 'nope'\r\n"),
        (["CAT", "read", "x"], b"-ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.\r\n"),
        (["GETUSER", "nobody"], b"$-1\r\n"),
        (["DRYRUN", "app", "MGET", "a1", "b"], b"+OK\r\n"),
        (["DRYRUN", "app", "GET", "x"], b"+OK\r\n"),
        (["DRYRUN", "app", "mget", "a", "c"], encode.bulk(b"This user has no permissions to access the 'c' key")),
        (
            ["DRYRUN", "app", "PUBLISH", "c", "m"],
            encode.bulk(b"This user has no permissions to run the 'publish' command"),
        ),
        (["DRYRUN", "nobody", "GET", "a"], b"-ERR User 'nobody' not found\r\n"),
        (["DRYRUN", "app", "NOPE"], b"-ERR Command 'NOPE' not found\r\n"),
        (["DRYRUN", "app", "GET"], b"-ERR wrong number of arguments for 'get' command\r\n"),
        (["GENPASS", "0"], BITS),
        (["GENPASS", "4097"], BITS),
        (["GENPASS", "x"], NO_INTEGER),
        (["GENPASS", "99999999999999999999"], NO_INTEGER),
        (
            ["GENPASS", "1", "2"],
            b"-ERR unknown subcommand or wrong number of arguments for 'GENPASS'. Try ACL HELP.\r\n",
        ),
        (["LOG"], b"*0\r\n"),
        (["LOG", "x"], NO_INTEGER),
        (["LOG", "-1"], b"*0\r\n"),
        (["LOG", "reset"], b"+OK\r\n"),
        (
            ["SETUSER", "app", "on"],
            b"-ERR ACL SETUSER is not available through rproxy: users are those of its configuration\r\n",
        ),
        (["NOPE"], b"-ERR unknown subcommand 'NOPE'. Try ACL HELP.\r\n"),
    ],
)
async def test_a_subcommand_answers_as_redis_does(acl: Dispatch, command: list[str], reply: bytes) -> None:
    assert await acl.call("ACL", *command) == reply


async def test_list_shows_users_as_redis_configures_them(acl: Dispatch) -> None:
    assert await acl.call("ACL", "LIST") == encode.reply(
        [
            b"user app on #%b ~a* %%R~b resetchannels &c -@all +@read -get (~x resetchannels -@all +get)" % DIGEST,
            b"user default on nopass ~* &* +@all",
        ]
    )


@pytest.mark.parametrize("protocol", [2, 3])
async def test_getuser_shows_all_of_a_user(acl: Dispatch, protocol: int) -> None:
    acl.session.speak(protocol)
    selector = {b"commands": b"-@all +get", b"keys": b"~x", b"channels": b""}
    assert await acl.call("ACL", "GETUSER", "app") == encode.reply(
        {
            b"flags": encode.Distinct([b"on"]),
            b"passwords": [DIGEST],
            b"commands": b"-@all +@read -get",
            b"keys": b"~a* %R~b",
            b"channels": b"&c",
            b"selectors": [selector],
        },
        protocol,
    )
    everything = await acl.call("ACL", "GETUSER", "default")
    assert encode.bulk(b"~*") + encode.bulk(b"channels") + encode.bulk(b"&*") in everything


async def test_cat_lists_the_commands_of_a_category(acl: Dispatch) -> None:
    reply = await acl.call("ACL", "CAT", "Scripting")
    assert encode.bulk(b"eval") in reply
    assert encode.bulk(b"script|load") in reply
    assert encode.bulk(b"get") not in reply


async def test_genpass_makes_as_many_digits_as_asked_for(acl: Dispatch) -> None:
    for bits, digits in [((), 64), (("1",), 1), (("5",), 2), (("4096",), 1024)]:
        reply = await acl.call("ACL", "GENPASS", *bits)
        assert reply.startswith(b"$%d\r\n" % digits)
        int(reply.split()[1], 16)
    assert await acl.call("ACL", "GENPASS") != await acl.call("ACL", "GENPASS")


@pytest.mark.parametrize("protocol", [2, 3])
async def test_log_tells_what_was_denied_newest_first(acl: Dispatch, protocol: int) -> None:
    await acl.call("AUTH", "app", "wrong")
    await acl.call("AUTH", "app", "wrong")
    await acl.call("AUTH", "app", "pw")
    await acl.call("MGET", "nope")
    await acl.call("SET", "a", "1")
    await acl.call("AUTH", "default", "x")
    acl.session.speak(protocol)
    log = await acl.call("ACL", "LOG")
    start = b"*3\r\n*14\r\n" if protocol == 2 else b"*3\r\n%7\r\n"
    assert log.startswith(
        start + b"$5\r\ncount\r\n:1\r\n$6\r\nreason\r\n$7\r\ncommand\r\n$7\r\ncontext\r\n$8\r\ntoplevel\r\n"
    )
    subjects = [line for line in log.split(b"\r\n") if line in (b"set", b"nope", b"AUTH")]
    assert subjects == [b"set", b"nope", b"AUTH"]
    assert log.count(b":2\r\n") == 1
    assert (b"$11\r\nage-seconds\r\n," in log) is (protocol == 3)
    assert (await acl.call("ACL", "LOG", "1")).startswith(start.replace(b"*3", b"*1"))
    assert await acl.call("ACL", "LOG", "RESET") == b"+OK\r\n"
    assert await acl.call("ACL", "LOG") == b"*0\r\n"
