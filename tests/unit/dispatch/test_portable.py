"""What is remembered of a client goes to another process and is the same there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from rproxy.acl.rules import user_of
from rproxy.acl.users import Users
from rproxy.dispatch.authentication import begin
from rproxy.dispatch.portable import Described, describe, is_movable, restore
from rproxy.dispatch.session import Session, State
from rproxy.topology.snapshot import Topology
from rproxy.upstream.subscription import Kind
from tests.support.dispatch import Dispatch
from tests.support.fake_node import FakeNode
from tests.support.pubsub import pubsub_answers, push, subscriber

MakeDispatch = Callable[..., Dispatch]
USERS = ("default on >pw ~* &* +@all", "app on >one ~app:* &* +@read", "gone on >two ~* &* +@all")


class FakeClient:
    """Notes what it is sent, and whether it is trusted and closed."""

    def __init__(self) -> None:
        self.pushed: list[bytes] = []
        self.is_trusted = False
        self.is_closed = False

    def trust(self, is_trusted: bool) -> None:
        self.is_trusted = is_trusted

    def hold(self) -> None:
        pass

    def release(self) -> None:
        pass

    def settle(self, then: Callable[[], None]) -> None:
        then()

    def figures(self) -> tuple[int, int, int]:
        return 0, 0, 0

    def push(self, data: bytes) -> None:
        self.pushed.append(data)

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
async def nodes(start_node: Any) -> list[FakeNode]:
    return [await start_node({**pubsub_answers(), "UNWATCH": b"+OK\r\n", "GET": b"$-1\r\n"})]


@pytest.fixture
async def there(make_dispatch: MakeDispatch, topology: Topology) -> Dispatch:
    """The dispatcher of the process to which clients go."""
    return make_dispatch({"main": topology})


def with_users(dispatch: Dispatch, *lines: str) -> None:
    """Have users, each a name and rules, and the session be whom a new client is."""
    split = [line.split(maxsplit=1) for line in lines]
    dispatch.context.users = Users([user_of(name, rules) for name, rules in split])
    begin(dispatch.session, dispatch.context.users)


def arrived(there: Dispatch, described: Described) -> tuple[Session, Any]:
    """The session of a client that has come as ``described``, and its client."""
    session = Session(described["id"], "127.0.0.1:1", "127.0.0.1:2", described["created"])
    client: Any = FakeClient()
    session.client = client
    begin(session, there.context.users)
    restore(session, json.loads(json.dumps(described)), there.context)
    return session, client


# -- who can be told of


async def test_a_client_between_two_commands_can_be_moved(dispatch: Dispatch) -> None:
    await dispatch.call("GET", "b")
    assert is_movable(dispatch.session, dispatch.context)


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        ("MULTI", "DISCARD"),
        ("WATCH b", "UNWATCH"),
        ("CLIENT REPLY OFF", "CLIENT REPLY ON"),
        ("CLIENT REPLY SKIP", "GET b"),
        ("CLIENT PAUSE 1000000 WRITE", "CLIENT UNPAUSE"),
        ("MONITOR", "RESET"),
    ],
)
async def test_one_in_the_middle_of_something_cannot_be_moved_before_its_end(
    dispatch: Dispatch, begins: str, ends: str
) -> None:
    dispatch.context.sessions[dispatch.session.id] = dispatch.session
    await dispatch.call(*begins.split())
    assert not is_movable(dispatch.session, dispatch.context)
    await dispatch.call(*ends.split())
    assert is_movable(dispatch.session, dispatch.context)


async def test_one_that_is_blocked_can_be_moved_if_it_may_wait_elsewhere(dispatch: Dispatch) -> None:
    dispatch.session.unblock = lambda is_error: True
    assert not is_movable(dispatch.session, dispatch.context)
    assert is_movable(dispatch.session, dispatch.context, may_wait=True)


async def test_one_that_quits_stays(dispatch: Dispatch) -> None:
    await dispatch.call("QUIT")
    assert not is_movable(dispatch.session, dispatch.context)


@pytest.mark.parametrize("state", [State.UNAUTHENTICATED, State.RESTRICTED, State.SUBSCRIBED, State.MONITORED])
async def test_states_that_can_be_told_keep_nobody(dispatch: Dispatch, state: State) -> None:
    dispatch.session.enter(state)
    assert is_movable(dispatch.session, dispatch.context)


# -- what is told


async def test_a_new_client_is_told_in_full(dispatch: Dispatch) -> None:
    assert describe(dispatch.session) == {
        "id": 1,
        "protocol": 2,
        "created": 0.0,
        "user": "default",
        "name": "",
        "library": ["", ""],
        "marks": [],
        "topics": {},
    }


async def test_what_it_said_of_itself_is_remembered(dispatch: Dispatch, there: Dispatch) -> None:
    for command in ("HELLO 3 SETNAME me", "CLIENT NO-TOUCH ON", "CLIENT NO-EVICT ON", "CLIENT SETINFO LIB-VER 5"):
        await dispatch.call(*command.split())
    dispatch.session.library_name = b"lib\xff"
    session, _ = arrived(there, describe(dispatch.session))
    assert (session.id, session.created, session.protocol, session.name) == (1, 0.0, 3, b"me")
    assert (session.library_name, session.library_version) == (b"lib\xff", b"5")
    assert session.affinity == dispatch.session.affinity
    assert session.marks == dispatch.session.marks != set()
    assert describe(session) == describe(dispatch.session)


async def test_who_has_authenticated_is_in_with_the_rules_that_hold_there(dispatch: Dispatch, there: Dispatch) -> None:
    with_users(dispatch, *USERS)
    with_users(there, *USERS)
    await dispatch.call("AUTH", "app", "one")
    session, client = arrived(there, describe(dispatch.session))
    assert (session.user.name, session.states, client.is_trusted) == (b"app", State.RESTRICTED, True)
    assert (await there.call("GET", "other", session=session)).startswith(b"-NOPERM")


async def test_who_has_not_authenticated_has_to_do_so_there(dispatch: Dispatch, there: Dispatch) -> None:
    with_users(dispatch, *USERS)
    with_users(there, *USERS)
    session, client = arrived(there, describe(dispatch.session))
    assert session.states == State.UNAUTHENTICATED
    assert not client.is_trusted
    assert await there.call("AUTH", "pw", session=session) == b"+OK\r\n"


async def test_a_user_that_is_not_there_has_to_authenticate_anew(dispatch: Dispatch, there: Dispatch) -> None:
    with_users(dispatch, *USERS)
    with_users(there, *USERS[:2])
    await dispatch.call("AUTH", "gone", "two")
    session, client = arrived(there, describe(dispatch.session))
    assert (session.user.name, session.states, client.is_trusted) == (b"default", State.UNAUTHENTICATED, False)


# -- subscriptions


async def test_what_it_is_subscribed_to_is_heard_there(
    dispatch: Dispatch, there: Dispatch, nodes: list[FakeNode]
) -> None:
    old: Any = FakeClient()
    dispatch.session.client = old
    for verb, name in (("SUBSCRIBE", b"news"), ("PSUBSCRIBE", b"n\xff*"), ("SSUBSCRIBE", b"b")):
        await dispatch.call(verb, name)
    described = describe(dispatch.session)
    assert described["topics"] == {"CHANNEL": ["news"], "PATTERN": ["n\xff*"], "SHARD": ["b"]}
    dispatch.session.let_go()
    session, client = arrived(there, described)
    await there.until(lambda: session.subscriber is not None and len(session.subscriber) == 3)
    assert [session.subscriber.names(kind) for kind in Kind] == [[b"news"], [b"n\xff*"], [b"b"]]
    assert session.states == State.SUBSCRIBED
    subscriber(nodes[0]).send(push("message", "news", "1"))
    await there.until(lambda: client.pushed)
    assert client.pushed == [push("message", "news", "1")]
    session.let_go()


async def test_one_whose_subscription_is_refused_there_is_closed(
    dispatch: Dispatch, there: Dispatch, nodes: list[FakeNode]
) -> None:
    nodes[0].answers["SUBSCRIBE"] = b"-NOPERM no\r\n"
    session, client = arrived(there, {**describe(dispatch.session), "topics": {"CHANNEL": ["news"]}})
    await there.until(lambda: client.is_closed)
    assert session.subscriber is None


async def test_one_whose_channel_has_no_route_there_is_closed(
    make_dispatch: MakeDispatch, dispatch: Dispatch, topology: Topology
) -> None:
    there = make_dispatch({"main": topology}, None)
    _, client = arrived(there, {**describe(dispatch.session), "topics": {"SHARD": ["b"]}})
    assert client.is_closed


async def test_one_that_leaves_before_it_is_subscribed_leaves_nothing(dispatch: Dispatch, there: Dispatch) -> None:
    session, client = arrived(there, {**describe(dispatch.session), "topics": {"CHANNEL": ["news"]}})
    topics = there.clusters["main"].subscriptions.topics
    assert len(topics) == 1
    session.let_go()
    assert len(topics) == 0
    assert (session.subscriber, client.is_closed) == (None, False)
