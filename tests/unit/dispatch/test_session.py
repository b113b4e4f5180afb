from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from rproxy.acl.rules import user_of
from rproxy.acl.users import Users
from rproxy.dispatch.authentication import begin
from rproxy.dispatch.session import ENTERED_BY, FLOW, LEFT_BY, Flow, Session, State
from rproxy.topology.snapshot import Topology
from rproxy.upstream.subscription import Kind
from tests.support.dispatch import Dispatch
from tests.support.fake_node import FakeNode
from tests.support.moves import moves_of, reachable
from tests.support.pubsub import pubsub_answers

WORDS = [
    line.split()
    for line in (
        "AUTH pw",
        "AUTH app one",
        "AUTH wrong",
        "HELLO 2",
        "HELLO 3 AUTH default pw",
        "HELLO 2 AUTH app one",
        "RESET",
        "MULTI",
        "EXEC",
        "DISCARD",
        "WATCH b",
        "UNWATCH",
        "SUBSCRIBE b",
        "UNSUBSCRIBE",
        "PSUBSCRIBE b",
        "PUNSUBSCRIBE",
        "SSUBSCRIBE b",
        "SUNSUBSCRIBE",
        "CLIENT REPLY OFF",
        "CLIENT REPLY ON",
        "CLIENT PAUSE 1000000 WRITE",
        "CLIENT UNPAUSE",
        "MONITOR",
        "GET b",
    )
]
"""What may move a client, and what must not."""
DEPTH = 3
"""Commands before the one that is looked at."""


def test_a_new_session_is_plain_and_speaks_resp2() -> None:
    session = Session(7, "127.0.0.1:5000", "127.0.0.1:6380", 12.5)
    assert (session.id, session.address, session.local_address, session.created) == (
        7,
        "127.0.0.1:5000",
        "127.0.0.1:6380",
        12.5,
    )
    assert (session.protocol, session.is_plain, session.is_quitting, session.name) == (2, True, False, b"")


def test_the_lowest_bit_of_the_affinity_is_the_protocol() -> None:
    affinities = set()
    for number in range(10):
        session = Session(number, "", "", 0.0)
        for protocol in (3, 2):
            session.speak(protocol)
            assert session.affinity % 2 == protocol - 2
            affinities.add(session.affinity)
    assert len(affinities) == 20


# -- its states


class Walk:
    """Clients that have sent some commands each, of a dispatcher with two users."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._numbers = itertools.count(2)
        dispatch.context.users = Users(
            [user_of("default", "on >pw ~* &* +@all"), user_of("app", "on >one ~* &* +@all -set")]
        )

    async def client(self, path: list[list[str]]) -> Session:
        """A client that has sent the commands of ``path``."""
        context = self._dispatch.context
        session = Session(next(self._numbers), "127.0.0.1:1", "127.0.0.1:2", 0.0)
        begin(session, context.users)
        context.sessions[session.id] = session
        for words in path:
            await self._dispatch.call(*words, session=session)
        return session

    async def say(self, session: Session, words: list[str]) -> None:
        """Send a command as ``session``."""
        await self._dispatch.call(*words, session=session)

    async def end(self, session: Session) -> None:
        """Let the client go, and what it did to all."""
        session.let_go()
        self._dispatch.context.sessions.clear()
        begin(self._dispatch.session, Users())
        await self._dispatch.call("CLIENT", "UNPAUSE")


def shape(session: Session) -> tuple[object, ...]:
    """What tells two clients apart that may be moved differently."""
    subscriber = session.subscriber
    kinds = [kind for kind in Kind if subscriber is not None and subscriber.names(kind)]
    return session.states, session.watch is not None, tuple(kinds), session.protocol, session.user.name


def name_of(words: list[str]) -> bytes:
    """The command's name in the tables."""
    return "|".join(words[:2] if words[0] == "CLIENT" else words[:1]).encode()


@pytest.fixture
async def nodes(start_node: Any) -> list[FakeNode]:
    answers = {"WATCH": b"+OK\r\n", "UNWATCH": b"+OK\r\n", "CLIENT": b":1\r\n", "GET": b"$-1\r\n"}
    return [await start_node({**pubsub_answers(), **answers}) for _ in range(3)]


async def test_commands_move_a_client_as_the_tables_say(
    make_dispatch: Callable[..., Dispatch], topology: Topology
) -> None:
    walk = Walk(make_dispatch({"main": topology}))
    entered: dict[State, set[bytes]] = defaultdict(set)
    left: dict[State, set[bytes]] = defaultdict(set)
    known: set[tuple[object, ...]] = set()
    paths: list[list[list[str]]] = [[]]
    for path in paths:
        for words in WORDS:
            session = await walk.client(path)
            before = session.states
            await walk.say(session, words)
            for state in State:
                if (state in before) != (state in session.states):
                    (left if state in before else entered)[state].add(name_of(words))
            if shape(session) not in known and len(path) < DEPTH:
                known.add(shape(session))
                paths.append([*path, words])
            await walk.end(session)
    assert entered == ENTERED_BY
    assert left == LEFT_BY


# -- whether it takes commands


def test_how_a_client_comes_to_its_last_command() -> None:
    assert reachable(FLOW, Flow.TAKING) == set(FLOW)
    assert all(Flow.QUITTING in reachable(FLOW, flow) for flow in FLOW)
    seen = set()
    for order in itertools.product(("hold", "release", "quit"), repeat=4):
        session = Session(1, "", "", 0.0)
        for name in order:
            before = session.flow
            if name == "hold" and before is not Flow.TAKING:
                continue  # only a command that was taken holds
            getattr(session, name)()
            if session.flow is not before:
                seen.add((before, session.flow))
            assert session.is_interrupted == (session.flow is not Flow.TAKING)
    assert seen == moves_of(FLOW)
