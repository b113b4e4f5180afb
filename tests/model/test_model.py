"""The core against a model of the world: clients, nodes and faults in any order, with every reply checked.

Each client gets exactly one reply for each command, in order, and never another's; a write is executed once at most,
exactly once if it was acknowledged, and not at all if its error says so; one client's writes of one key are executed in
order; and nothing stays behind. ``RPROXY_MODEL_EXAMPLES`` makes it longer.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from rproxy.commands.catalog import Catalog
from rproxy.config.models import ClusterConfig, ListenerConfig, SettingsConfig
from rproxy.dispatch.context import Context
from rproxy.dispatch.dispatcher import Dispatcher
from rproxy.dispatch.route import BoundRoute
from rproxy.downstream.listener import Listener
from rproxy.resp import encode
from rproxy.routing.routes import Route, RouteTable
from rproxy.topology.read_policy import ReadPolicy
from rproxy.upstream import pool as pool_module
from rproxy.upstream.cluster import Cluster
from rproxy.upstream.dial import DialError
from tests.model.world import NAMES, TAGS, Expected, Keyspace, ModelClient, ModelTurn, Node, NodeConnection, Wire

EXAMPLES = int(os.environ.get("RPROXY_MODEL_EXAMPLES", "150"))
OP_TIMEOUT = 5.0
CLIENTS = 3
NOT_EXECUTED = b"not executed"

tags = st.sampled_from(TAGS)
keys = st.tuples(tags, st.sampled_from(NAMES)).map(lambda pair: b"{%b}%b" % pair)
some = st.integers(0, 2)
any_tags = st.lists(tags, min_size=2, max_size=4, unique=True)


class NoSocket:
    """What a listener asks of an accepted socket."""

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 6380

    def fileno(self) -> int:
        return -1


class Proxy(RuleBasedStateMachine):
    """Two nodes and a spare, three clients, and the core between them."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.turn = ModelTurn(self.loop)
        self.keyspace = Keyspace()
        self.nodes = [Node(7000 + number, self.keyspace) for number in range(3)]
        self.has_faults = False
        self.names = itertools.count(1)
        self.gone: list[ModelClient] = []
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(pool_module, "dial", self.dial)
        self.patch.setattr(pool_module, "attach", self.attach)

    @initialize(
        in_flight=st.sampled_from([2, 8, 1000]),
        output=st.sampled_from([1, 1000, 1 << 26]),
        parked=some,
        accepts=st.sampled_from([True, True, True, False, None]),
    )
    def start(self, in_flight: int, output: int, parked: int, accepts: bool | None) -> None:
        self.has_faults = accepts is not True
        for node in self.nodes:
            node.accepts = accepts
        limits = {"max_in_flight_per_client": in_flight, "output_buffer_limit": output}
        self.cluster = Cluster(
            ClusterConfig.model_validate(
                {"name": "main", "endpoints": ["127.0.0.1:1"], "max_parked": [3, 20, 1000][parked]}
            ),
            ReadPolicy.PRIMARY,
            self.turn,
            op_timeout=OP_TIMEOUT,
            follows_redirections=True,
            draw=lambda: 0.0,
        )
        for number, tag in enumerate(TAGS):
            self.keyspace.owner[tag] = self.nodes[number % 2]
        self.cluster.swap(self.keyspace.topology(self.nodes))
        route = Route("main")
        bound = BoundRoute(route, self.cluster, ())
        context = Context(
            Catalog(),
            RouteTable((), route),
            {id(route): bound},
            counts_commands=True,
            settings=SettingsConfig.model_validate({}),
        )
        config = {
            "name": "redis",
            "address": "127.0.0.1:6380",
            "redis_proxy": {"prefix_routes": {"catch_all_route": {"cluster": "main"}}},
            "limits": limits,
        }
        socket: Any = NoSocket()
        self.listener = Listener(
            ListenerConfig.model_validate(config), socket, Dispatcher(context), self.turn, itertools.count(1).__next__
        )
        self.clients = [self.connect() for _ in range(CLIENTS)]
        self.settle()

    def connect(self) -> ModelClient:
        client = ModelClient(b"%d" % next(self.names))
        socket: Any = NoSocket()
        connection = self.listener._make_connection(socket, ("127.0.0.1", 1))
        assert connection is not None
        client.wire = Wire(connection, client)
        return client

    # -- nodes as the core reaches them

    async def dial(self, endpoint: Any, *_arguments: object) -> NodeConnection:
        node = next(node for node in self.nodes if node.endpoint == endpoint)
        while node.accepts is None:
            await asyncio.sleep(0)
        if not node.accepts:
            raise DialError("refused")
        return node.open()

    async def attach(self, _turn: ModelTurn, opened: NodeConnection, connection: Any) -> None:
        opened.wire = Wire(connection, opened)
        opened.wire.is_blocked = opened.node.is_blocked

    def settle(self) -> None:
        """Let the loop run until nothing more comes of what has happened."""
        self.turn.tick()
        self.loop.run_until_complete(self._turns())

    async def _turns(self) -> None:
        for _ in range(8):
            await asyncio.sleep(0)

    # -- clients

    def send(self, client: ModelClient, *commands: tuple[list[bytes], Expected], cut: int = 0) -> None:
        data = b"".join(encode.command(command) for command, _ in commands)
        client.expected += [expected for _, expected in commands]
        assert client.wire is not None
        cut = min(cut, len(data))
        client.wire.feed(data[:cut])
        if cut < len(data):
            client.wire.feed(data[cut:])
        self.settle()

    @rule(who=some, key=keys, count=st.integers(1, 5), cut=st.integers(0, 80))
    def writes(self, who: int, key: bytes, count: int, cut: int) -> None:
        client = self.clients[who]
        ids = [b"%b-%d" % (client.name, client.number()) for _ in range(count)]
        commands = [([b"SET", key, each], Expected(b"+%b\r\n" % each, [each])) for each in ids]
        self.send(client, *commands, cut=cut)

    @rule(who=some, tag=tags, count=st.integers(1, 5), cut=st.integers(0, 80))
    def reads(self, who: int, tag: bytes, count: int, cut: int) -> None:
        client = self.clients[who]
        names = [b"{%b}%b-%d" % (tag, client.name, client.number()) for _ in range(count)]
        self.send(client, *(([b"GET", name], Expected(encode.bulk(name))) for name in names), cut=cut)

    @rule(who=some, chosen=any_tags, kind=st.sampled_from([b"MGET", b"DEL", b"MSET"]), cut=st.integers(0, 80))
    def splits(self, who: int, chosen: list[bytes], kind: bytes, cut: int) -> None:
        client = self.clients[who]
        names = [b"{%b}%b-%d" % (tag, client.name, client.number()) for tag in chosen]
        if kind == b"MGET":
            pair = [kind, *names], Expected(encode.reply(names))
        elif kind == b"DEL":
            pair = [kind, *names], Expected(encode.integer(len(names)), names)
        else:
            values = [b"%b-%d" % (client.name, client.number()) for _ in names]
            words = [word for both in zip(names, values, strict=True) for word in both]
            pair = [kind, *words], Expected(encode.OK, values)
        self.send(client, pair, cut=cut)

    @rule(who=some, key=keys, cut=st.integers(0, 80))
    def transacts(self, who: int, key: bytes, cut: int) -> None:
        client = self.clients[who]
        written, read = b"%b-%d" % (client.name, client.number()), b"{%b}%d" % (key[1:2], client.number())
        whole = b"*2\r\n+%b\r\n%b" % (written, encode.bulk(read))
        self.send(
            client,
            ([b"MULTI"], Expected(encode.OK)),
            ([b"SET", key, written], Expected(b"+QUEUED\r\n")),
            ([b"GET", read], Expected(b"+QUEUED\r\n")),
            ([b"EXEC"], Expected(whole, [written])),
            cut=cut,
        )

    @rule(who=some)
    def pings(self, who: int) -> None:
        self.send(self.clients[who], ([b"PING"], Expected(b"+PONG\r\n")))

    @rule(who=some, is_rude=st.booleans())
    def leaves(self, who: int, is_rude: bool) -> None:
        """A client goes; another comes. One that only ends its side still gets all its replies."""
        client = self.clients[who]
        assert client.wire is not None
        if client.wire.connection is not None:
            if is_rude:
                client.wire.lose()
                client.expected.clear()
            else:
                self.gone.append(client)
                client.wire.end()
        self.clients[who] = self.connect()
        self.settle()

    @rule(who=some, is_reading=st.booleans())
    def reads_slowly(self, who: int, is_reading: bool) -> None:
        wire = self.clients[who].wire
        assert wire is not None
        if is_reading:
            wire.unblock()
        else:
            wire.is_blocked = True
        self.settle()

    # -- nodes

    @rule(which=some, count=st.integers(1, 30), cut=st.integers(0, 60))
    def answers(self, which: int, count: int, cut: int) -> None:
        for connection in list(self.nodes[which].connections):
            said = b""
            for _ in range(min(count, len(connection.waiting))):
                said += connection.execute()
            assert connection.wire is not None
            connection.wire.feed(said[:cut])
            connection.wire.feed(said[cut:])
        self.settle()

    @rule(which=some, executed=st.integers(0, 6))
    def breaks(self, which: int, executed: int) -> None:
        self.has_faults = True
        self.nodes[which].lose(executed)
        self.settle()

    @rule(which=some, accepts=st.sampled_from([True, True, False, None]))
    def takes_connections(self, which: int, accepts: bool | None) -> None:
        self.has_faults |= accepts is not True
        self.nodes[which].accepts = accepts
        self.settle()

    @rule(which=some, is_blocked=st.booleans())
    def takes_bytes(self, which: int, is_blocked: bool) -> None:
        node = self.nodes[which]
        node.is_blocked = is_blocked
        for connection in node.connections:
            assert connection.wire is not None
            if is_blocked:
                connection.wire.is_blocked = True
            else:
                connection.wire.unblock()
        self.settle()

    @rule(which=some, is_down=st.booleans())
    def sees_the_cluster(self, which: int, is_down: bool) -> None:
        self.has_faults |= is_down
        self.nodes[which].is_down = is_down

    # -- slots

    @rule(tag=tags, which=some)
    def begins_to_move(self, tag: bytes, which: int) -> None:
        if self.keyspace.owner[tag] is not self.nodes[which]:
            self.keyspace.target[tag] = self.nodes[which]
            self.keyspace.ahead -= {b"{%b}%b" % (tag, name) for name in NAMES}
            self.has_faults = True

    @rule(key=keys)
    def moves_a_key(self, key: bytes) -> None:
        if key[1:2] in self.keyspace.target:
            self.keyspace.ahead.add(key)

    @rule(tag=tags)
    def ends_moving(self, tag: bytes) -> None:
        if (target := self.keyspace.target.pop(tag, None)) is not None:
            self.keyspace.owner[tag] = target
            self.keyspace.ahead -= {b"{%b}%b" % (tag, name) for name in NAMES}

    @rule()
    def refreshes(self) -> None:
        self.cluster.swap(self.keyspace.topology(self.nodes))
        self.settle()

    # -- time

    @rule(seconds=st.sampled_from([0.001, 0.05, 0.3, 2.0, 5.1]))
    def waits(self, seconds: float) -> None:
        self.has_faults |= seconds > 1
        self.turn.clock += seconds
        self.cluster.tick()
        self.settle()

    # -- the end

    def heal(self) -> None:
        """All is well again, and time goes on until everything has been answered."""
        for tag in TAGS:
            self.ends_moving(tag)
        self.refreshes()
        for which, node in enumerate(self.nodes):
            node.accepts = True
            node.is_down = False
            self.takes_bytes(which, False)
        for client in (*self.clients, *self.gone):
            if client.wire is not None:
                client.wire.unblock()
        for _ in range(400):
            is_waiting = any(client.expected for client in (*self.clients, *self.gone))
            if not is_waiting and not self.cluster.pools.in_flight() and not len(self.cluster.parking):
                return
            for which in range(len(self.nodes)):
                self.answers(which, 1000, 0)
            self.waits(0.05)

    def teardown(self) -> None:
        try:
            if hasattr(self, "clients"):
                self.heal()
                self.check()
        finally:
            self.patch.undo()
            if hasattr(self, "clients"):
                self.listener.close()
                self.cluster.close()
            self.loop.run_until_complete(self._turns())
            self.loop.close()

    def check(self) -> None:
        executed = self.keyspace.executed
        everyone = [*self.clients, *self.gone]
        for client in everyone:
            assert not client.expected, f"{client.name!r} still waits for {client.expected[:3]}"
            for expected, reply in client.done:
                is_error = reply[:1] == b"-"
                assert self.has_faults or not is_error, reply
                counts = [executed[each] for each in expected.writes]
                assert is_error or counts == [1] * len(counts), (expected, reply, counts)
                is_refused = NOT_EXECUTED in reply or reply.startswith(b"-CLUSTERDOWN ")
                assert not is_refused or len(counts) > 1 or not any(counts), (expected, reply, counts)
        assert all(count <= 1 for count in executed.values()), executed.most_common(3)
        for key, numbers in self.keyspace.writes.items():
            assert numbers == sorted(numbers), (key, numbers)
        assert (self.cluster.pools.in_flight(), len(self.cluster.parking)) == (0, 0)
        for connection in self.listener.connections:
            assert (connection.replies.pending(), connection.replies.held, connection.outbox.size()) == (0, 0, 0)


def test_nothing_is_lost_mixed_up_or_done_twice() -> None:
    run_state_machine_as_test(
        Proxy,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            derandomize="RPROXY_MODEL_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
