"""A whole worker in this process, between plain clients and scripted nodes."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from rproxy.config.models import Config
from rproxy.downstream.balance import Ledger, Share
from rproxy.metrics.samples import Sample, from_json, merge
from rproxy.metrics.table import METRIC_BY_NAME
from rproxy.resp import encode
from rproxy.server.sockets import ListeningSockets
from rproxy.server.worker import Worker
from tests.support.client import pack
from tests.support.described import entry
from tests.support.fake_node import PATIENCE, SILENCE, Answer, Command, FakeNode, cluster_answers, echo
from tests.support.proxy import config_of

OP_TIMEOUT = "20s"

LEARNING = {b"COMMAND", b"INFO", b"MODULE"}
"""What a worker asks a node to get to know it."""


class Client:
    """A connection to a worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, *arguments: str) -> None:
        self.write(pack(*arguments))

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def read(self) -> bytes:
        """The next reply as its bytes (a line or a bulk string), empty at the end."""
        async with asyncio.timeout(PATIENCE):
            line = await self._reader.readline()
            return line + await self._reader.readexactly(int(line[1:]) + 2) if line[:1] == b"$" else line

    async def call(self, *arguments: str) -> bytes:
        self.send(*arguments)
        return await self.read()

    def close(self) -> None:
        self._writer.close()


class Served:
    """A worker with sockets of its own, and its clients."""

    def __init__(self, config: Config, *, worker_id: int = 0) -> None:
        self.sockets = ListeningSockets(config.model_copy(update={"workers": 1}))
        self.worker = Worker(config, self.sockets.of_worker[0], worker_id=worker_id)
        self._clients: list[Client] = []

    async def connect(self, listener: str = "redis") -> Client:
        address = self.sockets.of_worker[0][listener].getsockname()
        self._clients.append(Client(*await asyncio.open_connection(*address)))
        return self._clients[-1]

    async def until_ready(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while not self.worker.readiness()[0]:
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        for client in self._clients:
            client.close()
        await self.worker.drain(0.0)
        self.sockets.close()

    def total(self, name: str, *labels: str) -> Any:
        """The merged value of a metric, ``None`` where there is no sample."""
        return {key[:2]: key[2] for key in merge([self.worker.samples()])}.get((name, labels))


Serve = Callable[..., Awaitable[Served]]
StartNode = Callable[..., Awaitable[FakeNode]]


@pytest.fixture
async def start_node() -> AsyncIterator[StartNode]:
    """Starts fake nodes, each of which knows itself as the only primary unless it is told otherwise."""
    nodes: list[FakeNode] = []

    async def start(answers: Mapping[str, Answer] | None = None) -> FakeNode:
        node = FakeNode()
        nodes.append(node)
        await node.start()
        node.answers |= {**cluster_answers([node.endpoint]), **(answers or {})}
        return node

    yield start
    for node in nodes:
        await node.stop()


@pytest.fixture
async def serve(start_node: StartNode) -> AsyncIterator[Serve]:
    """Starts workers. Each makes the garbage collector leave everything alone that is there: that is undone."""
    threshold = gc.get_threshold()
    served: list[Served] = []

    async def start(config: Mapping[str, Any], share: Share | None = None, **keywords: Any) -> Served:
        served.append(Served(Config.model_validate(config), **keywords))
        if share is not None:
            served[-1].worker.share(share)
        await served[-1].worker.start()
        return served[-1]

    yield start
    for worker in served:
        await worker.stop()
    gc.unfreeze()
    gc.set_threshold(*threshold)


def config(node: FakeNode, **keywords: Any) -> dict[str, Any]:
    """A configuration before ``node``; keywords as those of ``config_of``."""
    settings = {"op_timeout": OP_TIMEOUT, **keywords.pop("settings", {})}
    cluster = {"connect_timeout": OP_TIMEOUT, **keywords.pop("cluster", {})}
    made = config_of(str(node.endpoint), settings=settings, cluster=cluster, **keywords)
    made["listeners"][0]["address"] = "127.0.0.1:0"
    return made


async def test_it_serves_each_key_from_its_shard(start_node: StartNode, serve: Serve) -> None:
    first, second = await start_node({"GET": echo}), await start_node({"GET": echo})
    first.answers |= cluster_answers([first.endpoint], [second.endpoint])
    served = await serve(config(first))
    await served.until_ready()
    client = await served.connect()
    assert await client.call("GET", "b") == b"$1\r\nb\r\n"  # slot 3300
    assert await client.call("GET", "a") == b"$1\r\na\r\n"  # slot 15495
    assert (first.count("GET"), second.count("GET")) == (1, 1)


async def test_the_listener_answers_before_a_topology_is_known(start_node: StartNode, serve: Serve) -> None:
    gate = asyncio.Event()
    node = await start_node()
    known = node.answers["CLUSTER SLOTS"]

    async def later(command: Command) -> bytes:
        await gate.wait()
        assert isinstance(known, bytes)
        return known

    node.answers["CLUSTER SLOTS"] = later
    served = await serve(config(node))
    client = await served.connect()
    assert await client.call("GET", "a") == b"-CLUSTERDOWN the topology of cluster 'main' is not known yet\r\n"
    assert await client.call("PING") == b"+PONG\r\n"
    assert served.worker.readiness() == (False, "no topology yet: main")
    gate.set()
    await served.until_ready()
    assert served.worker.readiness() == (True, "ready")
    assert await client.call("GET", "a") == b"+OK\r\n"


async def test_the_janitor_ends_what_takes_too_long(start_node: StartNode, serve: Serve) -> None:
    node = await start_node({"GET": SILENCE})
    served = await serve(config(node, settings={"op_timeout": "0.2s"}))
    await served.until_ready()
    client = await served.connect()
    answer = await client.call("GET", "a")
    assert answer.startswith(f"-ERR upstream {node.endpoint} gave no answer in time".encode())


async def test_a_standalone_cluster_is_ready_at_once(start_node: StartNode, serve: Serve) -> None:
    node = await start_node({"GET": echo})
    served = await serve(config(node, cluster={"type": "standalone"}))
    assert served.worker.readiness()[0]
    assert await (await served.connect()).call("GET", "a") == b"$1\r\na\r\n"
    assert [command for command in node.received if command[0] not in LEARNING] == [(b"GET", b"a")]


async def test_commands_of_modules_are_learned_from_the_nodes(start_node: StartNode, serve: Serve) -> None:
    described = encode.reply([entry(b"json.set", "write module")])
    node = await start_node({"COMMAND LIST": b"*1\r\n$8\r\njson.set\r\n", "COMMAND INFO": described})
    served = await serve(config(node))
    async with asyncio.timeout(PATIENCE):
        while not served.total("rproxy_commands_learned"):
            await asyncio.sleep(0)
    assert await (await served.connect()).call("JSON.SET", "a", "$", "1") == b"+OK\r\n"
    assert node.received[-1] == (b"JSON.SET", b"a", b"$", b"1")
    assert served.total("rproxy_commands_total", "main", "json.set", "success") == 1


async def test_a_mirror_gets_copies_and_need_not_answer(start_node: StartNode, serve: Serve) -> None:
    node, mirror = await start_node(), await start_node({"SET": SILENCE})
    mirrors = [{"cluster": "mirror", "exclude_read_commands": True}]
    served = await serve(config(node, mirrors=mirrors, mirror_address=str(mirror.endpoint)))
    await served.until_ready()
    client = await served.connect()
    assert await client.call("SET", "a", "1") == b"+OK\r\n"
    assert await client.call("GET", "a") == b"+OK\r\n"
    await mirror.heard("SET")
    assert mirror.received == [(b"SET", b"a", b"1")]
    assert served.total("rproxy_mirror_sent_total", "mirror") == 1


async def test_redirections_are_followed_unless_they_are_the_clients(start_node: StartNode, serve: Serve) -> None:
    node, target = await start_node(), await start_node({"GET": echo})
    node.answers["GET"] = f"-ASK 15495 {target.endpoint}\r\n".encode()
    served = await serve(config(node))
    await served.until_ready()
    assert await (await served.connect()).call("GET", "a") == b"$1\r\na\r\n"
    passing_on = await serve(config(node, settings={"enable_redirection": False}))
    await passing_on.until_ready()
    assert await (await passing_on.connect()).call("GET", "a") == node.answers["GET"]


async def test_client_ids_of_several_workers_differ(start_node: StartNode, serve: Serve) -> None:
    node = await start_node()
    ids = []
    for worker_id in (0, 1):
        served = await serve({**config(node), "workers": 2}, worker_id=worker_id)
        ids += [await (await served.connect()).call("CLIENT", "ID") for _ in range(2)]
    assert ids == [b":1\r\n", b":3\r\n", b":2\r\n", b":4\r\n"]


async def test_listeners_that_use_a_cluster_alike_share_it(start_node: StartNode, serve: Serve) -> None:
    node = await start_node()
    made = config(node)
    (listener,) = made["listeners"]
    other_policy = {**listener["redis_proxy"], "settings": {"op_timeout": OP_TIMEOUT, "read_policy": "any"}}
    made["listeners"] += [{**listener, "name": "alike"}, {**listener, "name": "other", "redis_proxy": other_policy}]
    served = await serve(made)
    await served.until_ready()
    for name in ("redis", "alike", "other"):
        assert await (await served.connect(name)).call("SET", "a", "1") == b"+OK\r\n"
    assert len(served.worker.clusters) == 2
    assert served.total("rproxy_upstream_connections_active", "main") == 2
    assert served.total("rproxy_commands_total", "main", "set", "success") == 3
    described = served.worker.describe_clusters()
    assert [cluster["read_policy"] for cluster in described] == ["primary", "any"]
    assert json.loads(json.dumps(described)) == described


async def test_clients_are_spread_over_workers(start_node: StartNode, serve: Serve) -> None:
    node = await start_node({"GET": echo})
    ledger = Ledger(2)
    shares = [ledger.share_of(worker_id) for worker_id in (0, 1)]
    # A worker owns the descriptors that it inherits.
    shares = [Share(os.dup(s.counts), os.dup(s.inbox), tuple(map(os.dup, s.outboxes))) for s in shares]
    made = {**config(node), "workers": 2}
    workers = [await serve(made, share, worker_id=worker_id) for worker_id, share in enumerate(shares)]
    for served in workers:
        await served.until_ready()
    for _ in range(4):
        assert await (await workers[0].connect()).call("GET", "a") == b"$1\r\na\r\n"
    active = [served.total("rproxy_downstream_connections_active", "redis") for served in workers]
    assert active == [2, 2]
    ledger.close()
    for share in shares:
        os.close(share.counts)


# -- drain


async def test_a_drain_finishes_what_is_in_flight(start_node: StartNode, serve: Serve) -> None:
    gate = asyncio.Event()

    async def later(command: Command) -> bytes:
        await gate.wait()
        return echo(command)

    node = await start_node({"GET": later})
    served = await serve(config(node))
    await served.until_ready()
    client, idle = await served.connect(), await served.connect()
    assert await idle.call("PING") == b"+PONG\r\n"
    address = served.sockets.of_worker[0]["redis"].getsockname()
    client.send("GET", "a")
    await node.heard("GET")
    draining = asyncio.create_task(served.worker.drain(PATIENCE))
    assert await idle.read() == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)
    assert not draining.done()
    gate.set()
    assert await client.read() == b"$1\r\na\r\n"
    assert await client.read() == b""
    assert await draining
    await node.until_closed(len(node.peers) - 1)


async def test_a_drain_has_its_limit(start_node: StartNode, serve: Serve) -> None:
    node = await start_node({"GET": SILENCE})
    served = await serve(config(node, settings={"op_timeout": "60s"}))
    await served.until_ready()
    client = await served.connect()
    client.send("GET", "a")
    await node.heard("GET")
    assert not await served.worker.drain(0.05)
    assert await client.read() == b""


async def test_a_drain_before_any_topology_ends_too(start_node: StartNode, serve: Serve) -> None:
    node = await start_node({"CLUSTER SLOTS": SILENCE})
    served = await serve(config(node))
    await node.heard("CLUSTER")
    assert await served.worker.drain(1.0)


# -- metrics


async def test_every_sample_is_in_the_table_of_metrics(start_node: StartNode, serve: Serve) -> None:
    first, second, mirror = await start_node(), await start_node({"GET": echo}), await start_node()
    served = await serve(
        config(
            first,
            mirrors=[{"cluster": "mirror"}],
            mirror_address=str(mirror.endpoint),
            settings={"op_timeout": "1s"},
            cluster={"health_checks": {"interval": "10ms"}},
        ),
    )
    await served.until_ready()
    await first.heard("PING", 2)
    client = await served.connect()
    first.answers["GET"] = f"-MOVED 15495 {second.endpoint}\r\n".encode()
    first.answers["HGET"] = SILENCE
    await client.call("GET", "a")
    await client.call("HGET", "b", "field")
    await client.call("PING")
    samples: list[Sample] = served.worker.samples()
    of_workers = ("command", "local", "downstream", "upstream", "redirections", "topology", "mirror")
    of_workers += ("subscriptions", "messages", "resubscriptions", "tasks", "membership", "outlier", "health")
    counted = {name for name in METRIC_BY_NAME if name.removeprefix("rproxy_").startswith(of_workers)}
    assert {name for name, _, _ in samples} == counted
    merged = merge([samples])
    assert from_json(json.loads(json.dumps(merged))) == merged
    assert served.total("rproxy_commands_total", "main", "get", "success") == 1
    assert served.total("rproxy_commands_total", "main", "hget", "error") == 1
    assert served.total("rproxy_command_duration_seconds", "main", "get").seconds > 0
    assert served.total("rproxy_local_commands_total", "ping") == 1
    assert served.total("rproxy_redirections_total", "main", "moved") == 1
    assert served.total("rproxy_upstream_failures_total", "main", "timeout") == 1
    assert served.total("rproxy_topology_refreshes_total", "main", "success") >= 1
    assert served.total("rproxy_topology_covered_slots", "main") == 16384
    assert served.total("rproxy_topology_age_seconds", "main") >= 0
    assert served.total("rproxy_topology_age_seconds", "mirror") is None


async def test_traffic_and_clients_are_counted(start_node: StartNode, serve: Serve) -> None:
    node = await start_node({"GET": echo})
    served = await serve(config(node))
    await served.until_ready()
    client = await served.connect()
    await client.call("GET", "a")
    request, reply = len(pack("GET", "a")), len(b"$1\r\na\r\n")
    assert served.total("rproxy_downstream_received_bytes_total", "redis") == request
    assert served.total("rproxy_downstream_sent_bytes_total", "redis") == reply
    assert served.total("rproxy_upstream_sent_bytes_total", "main") == request
    assert served.total("rproxy_upstream_received_bytes_total", "main") == reply
    broken = await served.connect()
    broken.write(pack("PING") + b"*1\r\n!\r\n")
    assert (await broken.read(), (await broken.read())[:20]) == (b"+PONG\r\n", b"-ERR Protocol error:")
    assert await broken.read() == b""
    assert served.total("rproxy_downstream_protocol_errors_total", "redis") == 1
    assert served.total("rproxy_downstream_connections_opened_total", "redis") == 2
    assert served.total("rproxy_downstream_connections_active", "redis") == 1


async def test_commands_are_not_counted_where_that_is_off(start_node: StartNode, serve: Serve) -> None:
    node = await start_node()
    served = await serve(config(node, settings={"enable_command_stats": False}))
    await served.until_ready()
    await (await served.connect()).call("GET", "a")
    assert served.total("rproxy_commands_total", "main", "get", "success") is None


# -- another configuration


async def test_commands_wait_for_those_that_are_under_way_as_before(start_node: StartNode, serve: Serve) -> None:
    gate = asyncio.Event()

    async def later(command: Command) -> bytes:
        await gate.wait()
        return echo(command)

    node = await start_node({"GET": later, "ECHO": echo})
    made = config(node, settings={"op_timeout": "20s"})
    served = await serve(made)
    await served.until_ready()
    busy, idle = await served.connect(), await served.connect()
    busy.send("GET", "a")
    await node.heard("GET")
    made["clusters"][0]["connections_per_endpoint"] = 2
    await served.worker.reload(Config.model_validate(made), {})
    busy.send("SET", "a", "1")
    busy.send("SET", "b", "1")
    assert await idle.call("SET", "c", "1") == b"+OK\r\n"
    assert [command[1] for command in node.received if command[0] == b"SET"] == [b"c"]
    gate.set()
    assert [await busy.read() for _ in range(3)] == [b"$1\r\na\r\n", b"+OK\r\n", b"+OK\r\n"]


async def test_a_cluster_that_is_no_more_answers_what_it_was_asked_then_closes(
    start_node: StartNode, serve: Serve
) -> None:
    gate = asyncio.Event()

    async def later(command: Command) -> bytes:
        await gate.wait()
        return echo(command)

    old, new = await start_node({"GET": later}), await start_node({"GET": b"$3\r\nnew\r\n"})
    served = await serve(config(old, settings={"op_timeout": "2s"}))
    await served.until_ready()
    client = await served.connect()
    client.send("GET", "a")
    await old.heard("GET")
    await served.worker.reload(_renamed(config(new, settings={"op_timeout": "0.1s"}), "other"), {})
    assert [cluster.name for cluster in served.worker.retired] == ["main"]
    gate.set()
    assert await client.read() == b"$1\r\na\r\n"
    assert await client.call("GET", "a") == b"$3\r\nnew\r\n"
    assert served.total("rproxy_commands_total", "main", "get", "success") == 1
    async with asyncio.timeout(PATIENCE):
        while served.worker.retired:
            await asyncio.sleep(0.01)
        for peer in old.peers:
            await peer.closed.wait()
    assert served.total("rproxy_commands_total", "main", "get", "success") == 1


def _renamed(made: dict[str, Any], name: str) -> Config:
    """The configuration with another name for its cluster."""
    made["clusters"][0]["name"] = name
    made["listeners"][0]["redis_proxy"]["prefix_routes"]["catch_all_route"]["cluster"] = name
    return Config.model_validate(made)


async def test_new_seeds_lead_to_another_cluster(start_node: StartNode, serve: Serve) -> None:
    old, new = await start_node({"GET": b"$3\r\nold\r\n"}), await start_node({"GET": b"$3\r\nnew\r\n"})
    served = await serve(config(old))
    await served.until_ready()
    client = await served.connect()
    assert await client.call("GET", "a") == b"$3\r\nold\r\n"
    await served.worker.reload(Config.model_validate(config(new)), {})
    async with asyncio.timeout(PATIENCE):
        while await client.call("GET", "a") != b"$3\r\nnew\r\n":
            await asyncio.sleep(0.01)


async def test_what_a_mirror_counted_stays_counted(start_node: StartNode, serve: Serve) -> None:
    node, mirror = await start_node(), await start_node()
    made = config(node, mirrors=[{"cluster": "mirror"}], mirror_address=str(mirror.endpoint))
    served = await serve(made)
    await served.until_ready()
    client = await served.connect()
    await client.call("SET", "a", "1")
    assert served.total("rproxy_mirror_sent_total", "mirror") == 1
    await served.worker.reload(Config.model_validate(config(node)), {})
    await client.call("SET", "a", "1")
    assert served.total("rproxy_mirror_sent_total", "mirror") == 1
    await served.worker.reload(Config.model_validate(made), {})
    await client.call("SET", "a", "1")
    assert served.total("rproxy_mirror_sent_total", "mirror") == 2


async def test_a_client_handed_over_before_its_listener_is_known_is_served_then(
    start_node: StartNode, serve: Serve
) -> None:
    node = await start_node()
    made = config(node)
    ledger = Ledger(2)
    share = ledger.share_of(0)
    share = Share(os.dup(share.counts), os.dup(share.inbox), tuple(map(os.dup, share.outboxes)))
    served = await serve(made, share=share)
    ours, theirs = socket.socketpair()
    with theirs, socket.socket(fileno=os.dup(share.outboxes[0])) as outbox:
        socket.send_fds(outbox, [b"second"], [theirs.fileno()])
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    writer.write(pack("PING"))
    await asyncio.sleep(0.05)
    made["listeners"].append({**made["listeners"][0], "name": "second"})
    with socket.create_server(("127.0.0.1", 0)) as listening:
        await served.worker.reload(Config.model_validate(made), {"second": listening.dup()})
    async with asyncio.timeout(PATIENCE):
        assert await reader.readline() == b"+PONG\r\n"
    writer.close()
    ledger.close()
