"""Who a client is, and what it may do, before scripted nodes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rproxy.acl.rules import user_of
from rproxy.acl.users import Users
from rproxy.dispatch.authentication import begin
from rproxy.dispatch.session import State
from rproxy.resp import encode
from rproxy.topology.snapshot import Topology
from tests.support.dispatch import Dispatch
from tests.support.fake_node import FakeNode

NEEDED = b"-NOAUTH Authentication required.\r\n"
WRONG = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
NO_PASSWORD = (
    b"-ERR AUTH <password> called without any password configured for the default user. "
    b"Are you sure your configuration is correct?\r\n"
)
HELLO_NEEDED = b"-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH"
NO_KEY = b"-NOPERM this user has no permissions to access one of the keys used as arguments\r\n"
NO_CHANNEL = b"-NOPERM this user has no permissions to access one of the channels used as arguments\r\n"


def no_command(name: str) -> bytes:
    return encode.error(f"NOPERM this user has no permissions to run the '{name}' command")


@pytest.fixture
def with_users(make_dispatch: Callable[..., Dispatch], topology: Topology) -> Callable[..., Dispatch]:
    """Makes a dispatcher before ``nodes`` whose users have these rules, with a client that has just come."""

    def make(**rules: str) -> Dispatch:
        dispatch = make_dispatch({"main": topology})
        dispatch.context.users = Users(user_of(name, text) for name, text in rules.items())
        begin(dispatch.session, dispatch.context.users)
        return dispatch

    return make


@pytest.fixture
async def guarded(with_users: Callable[..., Dispatch]) -> Dispatch:
    """A default user with a password, a user that may read some keys, one that is off."""
    return with_users(default="on >pw ~* &* +@all", app="on >one >two ~a* &a* +@all -set", off="off >pw")


# -- authentication


async def test_without_users_nobody_has_to_authenticate(with_users: Callable[..., Dispatch]) -> None:
    dispatch = with_users()
    assert dispatch.session.is_plain
    assert await dispatch.call("GET", "a") == b"$1\r\na\r\n"
    assert await dispatch.call("AUTH", "pw") == NO_PASSWORD
    assert await dispatch.call("AUTH", "default", "anything") == b"+OK\r\n"
    assert await dispatch.call("AUTH", "nobody", "pw") == WRONG


async def test_a_client_that_has_not_authenticated_may_do_nothing_else(
    guarded: Dispatch, nodes: list[FakeNode]
) -> None:
    for command in (["GET", "a"], ["PING"], ["MULTI"], ["ACL", "WHOAMI"], ["CLIENT", "ID"], ["MGET", "a", "b"]):
        assert await guarded.call(*command) == NEEDED
    assert await guarded.call("EXEC") == b"-EXECABORT Transaction discarded because of: " + NEEDED[1:]
    assert (await guarded.call("HELLO", "3")).startswith(HELLO_NEEDED)
    assert (await guarded.call("NOPE")).startswith(b"-ERR unknown command 'NOPE'")
    assert await guarded.call("GET") == b"-ERR wrong number of arguments for 'get' command\r\n"
    assert await guarded.call("RESET") == b"+RESET\r\n"
    assert not any(node.count(name) for node in nodes for name in ("GET", "MGET"))
    assert await guarded.call("QUIT") == b"+OK\r\n"


@pytest.mark.parametrize(
    ("arguments", "reply"),
    [
        (["pw"], b"+OK\r\n"),
        (["default", "pw"], b"+OK\r\n"),
        (["app", "one"], b"+OK\r\n"),
        (["app", "two"], b"+OK\r\n"),
        (["wrong"], WRONG),
        (["app", "pw"], WRONG),
        (["off", "pw"], WRONG),
        (["nobody", "pw"], WRONG),
        (["app", "one", "x"], b"-ERR syntax error\r\n"),
        ([], b"-ERR wrong number of arguments for 'auth' command\r\n"),
    ],
)
async def test_auth_takes_a_password_or_a_user_with_one(guarded: Dispatch, arguments: list[str], reply: bytes) -> None:
    assert await guarded.call("AUTH", *arguments) == reply
    is_in = reply == b"+OK\r\n"
    assert (State.UNAUTHENTICATED in guarded.session.states) is not is_in
    assert (await guarded.call("GET", "a") == b"$1\r\na\r\n") is is_in


async def test_a_wrong_password_logs_nobody_out(guarded: Dispatch) -> None:
    await guarded.call("AUTH", "pw")
    assert await guarded.call("AUTH", "wrong") == WRONG
    assert await guarded.call("HELLO", "3", "AUTH", "app", "wrong") == WRONG
    assert await guarded.call("ACL", "WHOAMI") == b"$7\r\ndefault\r\n"
    assert guarded.session.is_plain


async def test_reset_makes_a_client_a_stranger_again(guarded: Dispatch) -> None:
    await guarded.call("AUTH", "app", "one")
    assert await guarded.call("RESET") == b"+RESET\r\n"
    assert await guarded.call("GET", "a") == NEEDED
    assert guarded.session.user.name == b"default"


async def test_hello_authenticates_before_it_changes_anything(guarded: Dispatch) -> None:
    for options in (["AUTH", "app", "wrong", "SETNAME", "me"], ["SETNAME", "me"]):
        assert (await guarded.call("HELLO", "3", *options)).startswith((WRONG, HELLO_NEEDED))
        assert (guarded.session.protocol, guarded.session.name) == (2, b"")
    assert (await guarded.call("HELLO", "3", "SETNAME", "me", "AUTH", "app", "one")).startswith(b"%7\r\n")
    assert (guarded.session.protocol, guarded.session.name, guarded.session.user.name) == (3, b"me", b"app")


# -- permissions


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (["GET", "a"], b"$1\r\na\r\n"),
        (["MGET", "a", "a1"], b"*2\r\n$1\r\na\r\n$2\r\na1\r\n"),
        (["GET", "b"], NO_KEY),
        (["MGET", "a", "b"], NO_KEY),
        (["EVAL", "return 1", "1", "b"], NO_KEY),
        (["SET", "a", "1"], no_command("set")),
        (["SET", "b", "1"], no_command("set")),
        (["PUBLISH", "b", "x"], NO_CHANNEL),
        (["SUBSCRIBE", "a", "b"], NO_CHANNEL),
        (["PSUBSCRIBE", "ab*"], NO_CHANNEL),
        (["SORT", "a", "BY", "w_*"], b"-ERR BY option of SORT denied due to insufficient ACL permissions.\r\n"),
        (["SORT", "a", "GET", "w_*"], b"-ERR GET option of SORT denied due to insufficient ACL permissions.\r\n"),
    ],
)
async def test_a_user_may_do_what_its_rules_allow(guarded: Dispatch, command: list[str], reply: bytes) -> None:
    await guarded.call("AUTH", "app", "one")
    assert await guarded.call(*command) == reply


async def test_a_denied_command_spoils_its_transaction(guarded: Dispatch) -> None:
    await guarded.call("AUTH", "app", "one")
    await guarded.call("MULTI")
    assert await guarded.call("GET", "b") == NO_KEY
    assert await guarded.call("GET", "a") == b"+QUEUED\r\n"
    assert await guarded.call("EXEC") == b"-EXECABORT Transaction discarded because of previous errors.\r\n"


async def test_a_denied_exec_ends_its_transaction(with_users: Callable[..., Dispatch]) -> None:
    dispatch = with_users(default="on nopass +@all -exec ~* &*")
    await dispatch.call("MULTI")
    refusal = no_command("exec")
    assert await dispatch.call("EXEC") == b"-EXECABORT Transaction discarded because of: " + refusal[1:]
    assert await dispatch.call("GET", "a") == b"$1\r\na\r\n"


async def test_who_may_do_everything_takes_the_fast_path(guarded: Dispatch) -> None:
    await guarded.call("AUTH", "app", "one")
    assert (guarded.session.is_plain, guarded.session.is_only_restricted) == (False, True)
    await guarded.call("AUTH", "pw")
    assert (guarded.session.is_plain, guarded.session.is_only_restricted) == (True, False)


async def test_a_transaction_takes_a_restricted_client_off_the_fast_path(guarded: Dispatch) -> None:
    await guarded.call("AUTH", "app", "one")
    await guarded.call("MULTI")
    assert not guarded.session.is_only_restricted
    assert await guarded.call("GET", "a") == b"+QUEUED\r\n"
    assert await guarded.call("DISCARD") == b"+OK\r\n"
    assert guarded.session.is_only_restricted
