"""Connections, pools and refreshers are driven through all that can happen to them: they move as their tables say.

Those of a session are walked in ``tests/unit/dispatch/test_session.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any

import pytest

from rproxy.resp import encode
from rproxy.topology.redirection import RedirectionKind
from rproxy.transport.connection import Traffic
from rproxy.transport.phase import DOWNSTREAM, SUBSCRIBER, UPSTREAM, Phase
from rproxy.upstream import pool as pool_module
from rproxy.upstream import refresher as refresher_module
from rproxy.upstream.connection import UpstreamConnection
from rproxy.upstream.dial import DialError
from rproxy.upstream.pinned import PinnedConnection
from rproxy.upstream.pool import Pool, PoolState
from rproxy.upstream.refresher import Refresher, RefresherState
from rproxy.upstream.sink import DISCARD
from rproxy.upstream.subscriber_connection import SubscriberConnection
from rproxy.upstream.subscription import Kind, Topic
from tests.model.test_model import Proxy
from tests.model.world import Expected, ModelClient, NodeConnection, Wire
from tests.support.moves import Happenings, moves_of, reachable, walk

Walked = tuple[Callable[[], Phase], Happenings]
GET = encode.command([b"GET", b"{a}k"])


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    machine = Proxy()
    machine.start(in_flight=2, output=1 << 26, parked=2, accepts=True)
    yield machine
    machine.clients.clear()
    machine.teardown()


@pytest.mark.parametrize(
    ("table", "first", "last"),
    [
        (DOWNSTREAM, Phase.OPEN, Phase.CLOSED),
        (UPSTREAM, Phase.CONNECTING, Phase.CLOSED),
        (SUBSCRIBER, Phase.OPEN, Phase.CLOSED),
        (pool_module.MOVES, PoolState.UP, PoolState.CLOSED),
        (refresher_module.MOVES, RefresherState.STOPPED, RefresherState.STOPPED),
    ],
)
def test_every_state_is_reached_and_can_end(table: Mapping[Enum, frozenset[Enum]], first: Enum, last: Enum) -> None:
    assert reachable(table, first) == set(table)
    assert all(last in reachable(table, state) for state in table)


def test_a_client(proxy: Proxy) -> None:
    def make() -> Walked:
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

        return lambda: connection.phase, {
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
    pool = proxy.cluster.pools.get(proxy.nodes[0].endpoint, is_readonly=False)

    def make() -> Walked:
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

        return lambda: connection.phase, {
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
    def make() -> Walked:
        hub: Any = Deaf()
        connection = SubscriberConnection(hub, proxy.turn, Traffic())
        wire = Wire(connection, NodeConnection(proxy.nodes[0]))
        confirmed = encode.array([encode.bulk(b"subscribe"), encode.bulk(b"x"), encode.integer(1)])
        return lambda: connection.phase, {
            "subscribe": lambda: connection.subscribe(Topic(Kind.CHANNEL, b"x")),
            "confirmed": lambda: wire.feed(confirmed),
            "garbage": lambda: wire.feed(b"garbage\r\n"),
            "ended": connection.on_eof,
            "closed": connection.close,
        }

    assert walk(make) == moves_of(SUBSCRIBER)


def test_a_pool(proxy: Proxy) -> None:
    node = proxy.nodes[0]

    def make() -> tuple[Callable[[], PoolState], Happenings]:
        pool = Pool(proxy.cluster, node.endpoint, False)

        def dials(affinity: int, accepts: bool) -> None:
            node.accepts = accepts
            proxy.turn.clock += 2.0  # whatever it backs off
            connection = pool.pick(affinity)
            if connection is not None:
                connection.send(GET, 0, len(GET), DISCARD, 0, None, -1, True)
            proxy.settle()

        def lose() -> None:
            for connection in pool.connections():
                connection.on_lost("broken")

        return lambda: pool.state, {
            "accepted": lambda: dials(0, True),
            "refused": lambda: dials(1, False),
            "lost": lose,
            "retired": pool.retire,
            "closed": pool.close,
        }

    assert walk(make) == moves_of(pool_module.MOVES)


class WhenTold:
    """A schedule by which a refresh is due when a test says so, and never by itself."""

    def __init__(self) -> None:
        self.is_due = True

    def on_redirect(self, _now: float, _kind: RedirectionKind) -> None:
        self.is_due = True

    def on_refreshed(self, _now: float, _started_at: float) -> None:
        self.is_due = False

    def on_refresh_failed(self, _now: float) -> None:
        self.is_due = False

    def next_refresh_at(self, now: float, _jitter: float) -> float:
        return now if self.is_due else now + 3600.0


def test_a_refresher(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = proxy.nodes[0].endpoint
    refreshers: list[Refresher] = []
    answers = [[[0, 16383, [endpoint.host.encode(), endpoint.port, b"id"]]], b"cluster_state:ok\r\n"]

    def stop() -> None:
        for refresher in refreshers:
            refresher.cancel()
        refreshers.clear()
        proxy.settle()

    def make() -> tuple[Callable[[], RefresherState], Happenings]:
        stop()
        schedule: Any = WhenTold()
        refresher = Refresher(proxy.cluster, [endpoint], schedule)
        refreshers.append(refresher)
        asked: list[asyncio.Future[list[Any]]] = []

        def ask(*_: object) -> asyncio.Future[list[Any]]:
            asked.append(proxy.loop.create_future())
            return asked[-1]

        monkeypatch.setattr(refresher_module, "ask", ask)

        def happen(what: Callable[[], object]) -> Callable[[], None]:
            def do() -> None:
                what()
                proxy.settle()

            return do

        def answered() -> None:
            if asked and not asked[-1].done():
                asked[-1].set_result(answers)

        def failed() -> None:
            for _ in range(5):  # every node that it may ask
                if asked and not asked[-1].done():
                    asked[-1].set_exception(DialError("refused"))
                proxy.settle()

        return lambda: refresher.state, {
            "started": happen(lambda: refresher.follow([endpoint], schedule)),
            "answered": happen(answered),
            "failed": failed,
            "hinted": happen(lambda: refresher.on_redirection(RedirectionKind.MOVED)),
            "cancelled": happen(refresher.cancel),
        }

    assert walk(make) == moves_of(refresher_module.MOVES)
    stop()
