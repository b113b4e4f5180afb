"""Connections of every kind are driven through all that can happen to them: the moves seen are those of the tables."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rproxy.resp import encode
from rproxy.transport.connection import Traffic
from rproxy.transport.phase import DOWNSTREAM, SUBSCRIBER, UPSTREAM, Moves, Phase
from rproxy.upstream.connection import UpstreamConnection
from rproxy.upstream.pinned import PinnedConnection
from rproxy.upstream.subscriber_connection import SubscriberConnection
from rproxy.upstream.subscription import Kind, Topic
from tests.model.test_model import Proxy
from tests.model.world import Expected, ModelClient, NodeConnection, Wire

Seen = set[tuple[Phase, Phase]]
LENGTH = 4
GET = encode.command([b"GET", b"{a}k"])


def moves_of(table: Moves) -> Seen:
    return {(before, after) for before, targets in table.items() for after in targets}


def reachable(table: Moves, first: Phase) -> set[Phase]:
    found, left = {first}, [first]
    while left:
        fresh = table[left.pop()] - found
        found |= fresh
        left += fresh
    return found


def walk(make: Callable[[], tuple[Any, dict[str, Callable[[], object]]]]) -> Seen:
    """Everything in every order, each time on a new connection; the moves that were seen."""
    seen: Seen = set()
    (_, names) = make()
    for order in itertools.product(names, repeat=LENGTH):
        connection, happenings = make()
        for name in order:
            before = connection.phase
            happenings[name]()
            if connection.phase is not before:
                seen.add((before, connection.phase))
    return seen


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    machine = Proxy()
    machine.start(in_flight=2, output=1 << 26, parked=2, accepts=True)
    yield machine
    machine.clients.clear()
    machine.teardown()


@pytest.mark.parametrize(
    ("table", "first"), [(DOWNSTREAM, Phase.OPEN), (UPSTREAM, Phase.CONNECTING), (SUBSCRIBER, Phase.OPEN)]
)
def test_every_phase_is_reached_and_can_end(table: Moves, first: Phase) -> None:
    assert reachable(table, first) == set(table)
    assert all(Phase.CLOSED in reachable(table, phase) for phase in table)
    assert table[Phase.CLOSED] == frozenset()


def test_a_client(proxy: Proxy) -> None:
    def make() -> tuple[Any, dict[str, Callable[[], object]]]:
        client = proxy.connect()
        wire = client.wire
        assert wire is not None
        connection = wire.connection

        def answer() -> None:
            proxy.settle()
            proxy.answers(which=0, count=9, cut=0)

        def ask(count: int) -> None:
            client.expected += [Expected(encode.bulk(b"{a}k"))] * count
            wire.feed(GET * count)
            proxy.settle()

        def malformed() -> None:
            client.expected.append(Expected(b""))
            wire.feed(b"*1\r\n:\r\n")

        return connection, {
            "one": lambda: ask(1),
            "many": lambda: ask(3),
            "answer": answer,
            "malformed": malformed,
            "end": wire.end,
            "lost": wire.lose,
        }

    assert walk(make) == moves_of(DOWNSTREAM)


def test_a_client_that_finishes_is_not_listened_to(proxy: Proxy) -> None:
    client: ModelClient = proxy.connect()
    assert client.wire is not None
    connection = client.wire.connection
    client.expected.append(Expected(encode.bulk(b"{a}k")))
    client.wire.feed(GET)
    proxy.settle()
    connection.finish()
    connection.receive(GET, len(GET))  # what a broken socket still had to say
    assert connection.replies.pending() == 1
    proxy.answers(which=0, count=5, cut=0)
    assert connection.phase is Phase.CLOSED
    assert len(client.done) == 1


@pytest.mark.parametrize("kind", ["shared", "pinned"])
def test_a_connection_to_a_node(proxy: Proxy, kind: str) -> None:
    pool = proxy.cluster.pool(proxy.nodes[0].endpoint, is_readonly=False)

    def make() -> tuple[Any, dict[str, Callable[[], object]]]:
        connection: Any = UpstreamConnection(pool, 0) if kind == "shared" else PinnedConnection(pool.pins, False)
        if kind == "pinned":
            pool.pins._leased.add(connection)
        proxy.nodes[0].accepts = None
        pool.open(connection, False)

        def answers(accepts: bool) -> None:
            proxy.nodes[0].accepts = accepts
            proxy.settle()

        def hear(data: bytes) -> None:
            if connection.transport is not None:
                connection.transport.feed(data)

        return connection, {
            "accepted": lambda: answers(True),
            "refused": lambda: answers(False),
            "garbage": lambda: hear(b"garbage\r\n"),
            "ended": connection.on_eof,
            "lost": lambda: connection.on_lost("broken"),
        }

    seen = walk(make)
    assert seen == moves_of(UPSTREAM)


class Deaf:
    """A hub that does nothing."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_: None


def test_a_subscriber(proxy: Proxy) -> None:
    def make() -> tuple[Any, dict[str, Callable[[], object]]]:
        hub: Any = Deaf()
        connection = SubscriberConnection(hub, proxy.turn, Traffic())
        wire = Wire(connection, NodeConnection(proxy.nodes[0]))
        confirmed = encode.array([encode.bulk(b"subscribe"), encode.bulk(b"x"), encode.integer(1)])
        return connection, {
            "subscribe": lambda: connection.subscribe(Topic(Kind.CHANNEL, b"x")),
            "confirmed": lambda: wire.feed(confirmed),
            "garbage": lambda: wire.feed(b"garbage\r\n"),
            "ended": connection.on_eof,
            "closed": connection.close,
        }

    assert walk(make) == moves_of(SUBSCRIBER)
