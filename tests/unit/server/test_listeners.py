"""The listeners of a worker: who is accepted, and what becomes of clients when the configuration changes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from rproxy.commands.catalog import Catalog
from rproxy.config.models import Config, ListenerConfig
from rproxy.dispatch.context import Context
from rproxy.dispatch.crew import Crew
from rproxy.server import listeners as module
from rproxy.server.binding import Bound
from rproxy.server.listeners import IDS_OF_A_GENERATION, Listeners
from rproxy.server.upstreams import Upstreams
from rproxy.topology.snapshot import Endpoint
from tests.support.client import pack
from tests.support.downstream import Client
from tests.support.fake_node import PATIENCE, FakeNode, Gate, echo
from tests.support.pubsub import asked, pubsub_answers, push, subscriber
from tests.support.upstream import HandSet

ONE, TWO = "127.0.0.1:7001", "127.0.0.1:7002"
"""Addresses as configurations have them; the sockets are at ports that the system chooses."""
DRAIN_TIMEOUT = 10.0


class Rig:
    """Listeners before ``node``, with a clock that is set."""

    def __init__(self, node: FakeNode) -> None:
        self.node = node
        self.turn = HandSet(asyncio.get_running_loop())
        self.upstreams = Upstreams(self.turn)
        self.listeners: Listeners
        self._sockets: dict[str, socket.socket] = {}
        self._accepted: list[socket.socket] = []
        self._clients: list[Client] = []

    def listener(self, name: str = "redis", address: str = ONE, **keys: Any) -> dict[str, Any]:
        """A listener before the cluster ``main``; its keywords are further keys of it."""
        proxy = {"prefix_routes": {"catch_all_route": {"cluster": "main"}}, **keys.pop("redis_proxy", {})}
        return {"name": name, "address": address, "redis_proxy": proxy, **keys}

    def config(self, *listeners: dict[str, Any], main: FakeNode | None = None, **keys: Any) -> Config:
        """``main`` is the node behind the cluster ``main``."""
        made = {
            "listeners": listeners or [self.listener()],
            "clusters": [{"name": "main", "type": "standalone", "endpoints": [str((main or self.node).endpoint)]}],
            "drain_timeout": DRAIN_TIMEOUT,
        }
        return Config.model_validate({**made, **keys})

    def make(self, config: Config, worker_id: int = 0) -> None:
        """Make the listeners, which do not accept yet."""
        self.upstreams.set_up(config)
        sockets = {listener.name: self.socket(listener.name) for listener in config.listeners}
        self.listeners = Listeners(config, sockets, self.turn, self._make_context, worker_id, None)
        self.listeners.make(self.upstreams.in_use.__getitem__)

    def open(self, *listeners: dict[str, Any], **keys: Any) -> None:
        """Make the listeners, and have them accept."""
        self.make(self.config(*listeners, **keys))
        self.listeners.open()

    def _make_context(self, settings: ListenerConfig, bound: Bound) -> Context:
        return Context(Catalog(), bound.table, bound.routes, crew=Crew(settings.name))

    def socket(self, name: str) -> socket.socket:
        """A new socket, at which clients of ``name`` connect from now on."""
        self._sockets[name] = socket.create_server(("127.0.0.1", 0))
        self._sockets[name].setblocking(False)
        return self._sockets[name]

    async def renew(self, *listeners: dict[str, Any], new: tuple[str, ...] = (), **keys: Any) -> None:
        """Go by another configuration, in which the listeners ``new`` have sockets of their own."""
        config = self.config(*listeners, **keys)
        self.upstreams.adopt(await self.upstreams.prepare(config), config)
        sockets = {name: self.socket(name) for name in new}
        self.listeners.renew(config, sockets, self.upstreams.in_use.__getitem__)

    async def client(self, name: str = "redis") -> Client:
        """One that has connected."""
        reader, writer = await asyncio.open_connection(*self._sockets[name].getsockname())
        self._clients.append(Client(reader, writer))
        return self._clients[-1]

    async def served(self, name: str = "redis") -> Client:
        """One that has been answered."""
        client = await self.client(name)
        assert await client.call("PING") == b"+PONG\r\n"
        return client

    async def hand_over(self, name: str) -> Client:
        """One that another worker accepted at the listener ``name``."""
        with socket.create_server(("127.0.0.1", 0)) as elsewhere:
            reader, writer = await asyncio.open_connection(*elsewhere.getsockname())
            accepted, _ = elsewhere.accept()
        self._accepted.append(accepted)
        self._clients.append(Client(reader, writer))
        self.listeners.adopt(name, accepted)
        return self._clients[-1]

    def context(self, index: int = 0) -> Context:
        context: Context = self.listeners.active[index].dispatcher.context
        return context

    def names(self) -> tuple[list[str], list[str]]:
        """The active and the leaving listeners."""
        return [each.name for each in self.listeners.active], [each.name for each in self.listeners.leaving]

    def pass_time(self, seconds: float) -> None:
        self.turn.now += seconds
        self.listeners.tick(self.turn.now)

    async def until(self, is_true: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not is_true():
                await asyncio.sleep(0)

    async def close(self) -> None:
        for client in self._clients:
            client.close()
        self.listeners.close()
        for sock in (*self._sockets.values(), *self._accepted):
            sock.close()
        await self.upstreams.stop()


@pytest.fixture
async def node(start_node: Any) -> FakeNode:
    node: FakeNode = await start_node({"GET": echo, **pubsub_answers()})
    return node


@pytest.fixture
async def rig(node: FakeNode) -> AsyncIterator[Rig]:
    rig = Rig(node)
    yield rig
    await rig.close()


# -- the first configuration


async def test_nobody_is_accepted_before_they_are_opened(rig: Rig) -> None:
    rig.make(rig.config())
    client = await rig.client()
    client.send(pack("GET", "a"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not rig.listeners.has_clients()
    rig.listeners.open()
    assert await client.reply() == b"$1\r\na\r\n"
    assert rig.listeners.has_clients()


async def test_client_ids_go_on_after_those_of_all_generations_before(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RPROXY_GENERATION", "3")
    rig.make(rig.config(workers=4), worker_id=2)
    rig.listeners.open()
    ids = [await (await rig.client()).call("CLIENT", "ID") for _ in range(2)]
    assert ids == [b":%d\r\n" % (3 * IDS_OF_A_GENERATION + number) for number in (3, 7)]


async def test_a_context_is_as_the_settings_of_its_listener_say(rig: Rig) -> None:
    limits = {"max_clients": 50, "max_subscriptions_per_client": 7}
    settings = {"redis_proxy": {"settings": {"enable_command_stats": False}}}
    other = rig.listener("other", TWO, limits=limits, cluster_announce="proxy.example:6380", **settings)
    rig.make(rig.config(rig.listener(), other, workers=3))
    first, second = rig.context(0), rig.context(1)
    assert (first.crew.listener, first.counts_commands, first.cluster_announce) == ("redis", True, None)
    assert (second.crew.listener, second.counts_commands) == ("other", False)
    assert second.cluster_announce == Endpoint("proxy.example", 6380)
    assert (second.max_clients, second.max_subscriptions) == (150, 7)
    assert second.parameters[b"maxclients"].read() == "150"
    assert second.parameters[b"port"].read() == "7002"


# -- clients of other workers


async def test_a_client_of_another_worker_is_served_at_its_listener(rig: Rig) -> None:
    rig.open(rig.listener(), rig.listener("other", TWO))
    client = await rig.hand_over("other")
    assert await client.call("GET", "a") == b"$1\r\na\r\n"
    assert [len(listener.connections) for listener in rig.listeners.active] == [0, 1]


async def test_a_client_that_comes_before_its_listener_is_served_when_that_is_there(rig: Rig) -> None:
    rig.open()
    client = await rig.hand_over("other")
    client.send(pack("GET", "a"))
    await rig.renew(rig.listener(), rig.listener("other", TWO), new=("other",))
    assert await client.reply() == b"$1\r\na\r\n"
    assert [len(listener.connections) for listener in rig.listeners.active] == [0, 1]


async def test_only_so_many_wait_for_their_listener(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EARLY_MOST", 1)
    rig.open()
    waiting, refused = await rig.hand_over("other"), await rig.hand_over("other")
    assert await refused.rest() == b""
    await rig.renew(rig.listener(), rig.listener("other", TWO), new=("other",))
    assert await waiting.call("PING") == b"+PONG\r\n"


async def test_a_client_of_a_listener_that_leaves_is_closed(rig: Rig) -> None:
    rig.open(rig.listener(), rig.listener("other", TWO))
    await rig.renew(rig.listener())
    client = await rig.hand_over("other")
    assert await client.rest() == b""


# -- another configuration


async def test_a_listener_that_stays_keeps_its_clients_under_its_other_settings(rig: Rig) -> None:
    rig.open()
    listener, client = rig.listeners.active[0], await rig.served()
    settings = {"redis_proxy": {"settings": {"enable_command_stats": False}}}
    await rig.renew(rig.listener(limits={"max_clients": 1}, **settings), workers=2)
    assert rig.listeners.active == [listener]
    assert await client.call("GET", "a") == b"$1\r\na\r\n"
    assert (rig.context().max_clients, rig.context().counts_commands) == (2, False)
    assert (await (await rig.client()).rest()).startswith(b"-ERR max number of clients")


async def test_a_client_that_stays_goes_by_routes_that_are_new(rig: Rig) -> None:
    rig.open()
    client = await rig.served()
    routes = [{"prefix": "s:", "cluster": "main", "remove_prefix": True}]
    await rig.renew(rig.listener(redis_proxy={"prefix_routes": {"routes": routes}}))
    assert await client.call("GET", "s:a") == b"$1\r\na\r\n"


async def test_a_listener_that_is_renamed_keeps_its_clients_and_is_found_by_both_names(rig: Rig) -> None:
    rig.open()
    listener, client = rig.listeners.active[0], await rig.served()
    await rig.renew(rig.listener("renamed"))
    assert rig.names() == (["renamed"], [])
    assert [rig.listeners.find(name) for name in ("redis", "renamed", "other")] == [listener, listener, None]
    assert rig.context().crew.listener == "renamed"
    assert await client.call("GET", "a") == b"$1\r\na\r\n"
    assert await (await rig.client()).call("GET", "b") == b"$1\r\nb\r\n"


async def test_a_listener_that_moves_accepts_at_its_new_socket_alone(rig: Rig) -> None:
    rig.open()
    client = await rig.served()
    address = rig._sockets["redis"].getsockname()
    await rig.renew(rig.listener(address=TWO), new=("redis",))
    assert await (await rig.client()).call("GET", "a") == b"$1\r\na\r\n"
    assert await client.call("GET", "b") == b"$1\r\nb\r\n"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


async def test_a_new_listener_accepts_and_one_that_is_no_more_does_not(rig: Rig) -> None:
    rig.open()
    address = rig._sockets["redis"].getsockname()
    await rig.renew(rig.listener("other", TWO), new=("other",))
    assert await (await rig.client("other")).call("GET", "a") == b"$1\r\na\r\n"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


async def test_an_address_that_goes_to_another_listener_keeps_its_socket(rig: Rig) -> None:
    rig.open(rig.listener("one", ONE), rig.listener("two", TWO))
    client = await rig.served("one")
    # "two" stays, at the address that "one" had.
    await rig.renew(rig.listener("two", ONE))
    assert rig.names() == (["two"], ["one"])
    assert await client.rest() == b""
    await rig.served("one")
    assert [len(listener.connections) for listener in rig.listeners.active] == [1]


async def test_clients_of_a_listener_that_leaves_finish(rig: Rig) -> None:
    gate = Gate()
    rig.node.answers["GET"] = gate
    rig.open()
    busy, idle = await rig.served(), await rig.served()
    busy.send(pack("GET", "a"))
    await rig.node.heard("GET")
    await rig.renew(rig.listener("other", TWO), new=("other",))
    assert rig.names() == (["other"], ["redis"])
    assert await idle.rest() == b""
    rig.pass_time(0.0)
    assert rig.names() == (["other"], ["redis"])
    gate.is_open.set()
    assert await busy.rest() == b"$1\r\na\r\n"
    rig.pass_time(0.0)
    assert rig.names() == (["other"], [])


async def test_clients_that_take_too_long_to_finish_are_closed(rig: Rig) -> None:
    rig.node.answers["GET"] = Gate()
    rig.open()
    busy = await rig.served()
    busy.send(pack("GET", "a"))
    await rig.node.heard("GET")
    await rig.renew(rig.listener("other", TWO), new=("other",))
    rig.pass_time(DRAIN_TIMEOUT)
    assert len(rig.listeners.all) == 2
    rig.pass_time(0.001)
    assert rig.names() == (["other"], [])
    assert await busy.rest() == b""


async def test_who_is_no_user_any_more_is_closed(rig: Rig) -> None:
    def with_users(*names: str) -> dict[str, Any]:
        users = [{"name": name, "rules": "on nopass ~* &* +@all"} for name in names]
        return rig.listener(redis_proxy={"users": users})

    rig.open(with_users("one", "two"))
    clients = {name: await rig.client() for name in ("one", "two")}
    for name, client in clients.items():
        assert await client.call("AUTH", name, "x") == b"+OK\r\n"
    await rig.renew(with_users("one"))
    assert await clients["two"].rest() == b""
    assert await clients["one"].call("GET", "a") == b"$1\r\na\r\n"


# -- subscriptions


async def test_subscriptions_come_from_where_the_routes_lead_now(rig: Rig, start_node: Any) -> None:
    new = await start_node(pubsub_answers())
    rig.open()
    client = await rig.client()
    assert await client.call("SUBSCRIBE", "news") == push("subscribe", "news", 1)
    await rig.renew(main=new)
    rig.pass_time(0.0)
    await rig.until(lambda: asked(new))
    await rig.until(lambda: len(asked(rig.node)) == 2)
    assert [asked(each)[-1] for each in (rig.node, new)] == [("unsubscribe", "news"), ("subscribe", "news")]
    subscriber(new).send(push("message", "news", "1"))
    assert await client.reply() == push("message", "news", "1")


async def test_subscriptions_that_were_on_their_way_are_moved_too(rig: Rig, start_node: Any) -> None:
    confirmed = Gate()
    rig.node.answers["SUBSCRIBE"] = confirmed
    new = await start_node(pubsub_answers())
    rig.open()
    client = await rig.client()
    client.send(pack("SUBSCRIBE", "news"))
    await rig.node.heard("subscribe")
    await rig.renew(main=new)
    rig.pass_time(0.0)
    assert asked(new) == []
    (connection,) = rig.listeners.active[0].connections
    subscriber(rig.node).send(push("subscribe", "news", 1))
    assert await client.reply() == push("subscribe", "news", 1)
    assert connection.session.subscriber is not None
    (cluster,) = rig.upstreams.in_use.values()
    rig.pass_time(module.MOVE_EVERY - 0.001)
    assert len(cluster.subscriptions.topics) == 0
    rig.pass_time(0.001)
    assert len(cluster.subscriptions.topics) == 1
    await rig.until(lambda: asked(new))


# -- the end


async def test_a_drain_refuses_new_clients_and_ends_with_the_last(rig: Rig) -> None:
    gate = Gate()
    rig.node.answers["GET"] = gate
    rig.open()
    busy, idle, early = await rig.served(), await rig.served(), await rig.hand_over("other")
    busy.send(pack("GET", "a"))
    await rig.node.heard("GET")
    address = rig._sockets["redis"].getsockname()
    draining = asyncio.create_task(rig.listeners.drain(1.0))
    assert [await client.rest() for client in (idle, early)] == [b"", b""]
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)
    assert not draining.done()
    gate.is_open.set()
    assert await busy.rest() == b"$1\r\na\r\n"
    assert await draining


async def test_a_drain_that_takes_too_long_is_given_up(rig: Rig) -> None:
    rig.node.answers["GET"] = Gate()
    rig.open()
    busy = await rig.served()
    busy.send(pack("GET", "a"))
    await rig.node.heard("GET")
    assert not await rig.listeners.drain(0.0)
    assert rig.listeners.has_clients()
    rig.listeners.close()
    assert await busy.rest() == b""


async def test_when_others_accept_at_the_sockets_clients_stay(rig: Rig) -> None:
    rig.open()
    client = await rig.served()
    rig.listeners.stop_accepting()
    other = await rig.client()
    other.send(pack("GET", "b"))
    assert await client.call("GET", "a") == b"$1\r\na\r\n"
    assert len(rig.listeners.active[0].connections) == 1
