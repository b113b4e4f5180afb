"""The clusters of a worker: which there are for a configuration, and what becomes of them with the next one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from rproxy.config.models import Config
from rproxy.metrics.counters import CommandStats
from rproxy.resp import encode
from rproxy.server.upstreams import Upstreams, Use, use_of, uses_of
from rproxy.topology.read_policy import ReadPolicy
from rproxy.topology.snapshot import Endpoint, Topology
from rproxy.upstream.cluster import Cluster
from rproxy.upstream.refresher import RefresherState
from rproxy.upstream.request import Request
from tests.support.fake_node import PATIENCE, FakeNode, Gate, cluster_answers
from tests.support.upstream import HandSet, Replies

OP_TIMEOUT = 2.0
A_MOMENT = 0.001
"""Seconds before and after a cluster is closed."""
NOBODY = {"type": "standalone", "endpoints": ["127.0.0.1:1"]}


def listener(cluster: str = "main", *mirrors: str, name: str = "redis", **settings: Any) -> dict[str, Any]:
    """One whose only route leads to ``cluster``."""
    route = {"cluster": cluster, "request_mirror_policy": [{"cluster": mirror} for mirror in mirrors]}
    settings = {"op_timeout": f"{OP_TIMEOUT}s", **settings}
    proxy = {"settings": settings, "prefix_routes": {"catch_all_route": route}}
    return {"name": name, "address": f"unix:/{name}", "redis_proxy": proxy}


def config(*listeners: dict[str, Any], **clusters: Mapping[str, Any]) -> Config:
    """Clusters by name, ``main`` alone by default; each is standalone, and not there, unless it says otherwise."""
    sections = [{"name": name, **NOBODY, **keys} for name, keys in (clusters or {"main": {}}).items()]
    return Config.model_validate({"listeners": listeners or [listener()], "clusters": sections})


class Rig:
    """Upstreams whose clock is set."""

    def __init__(self) -> None:
        self.turn = HandSet(asyncio.get_running_loop())
        self.turn.now = 1000.0
        self.upstreams = Upstreams(self.turn)

    def set_up(self, made: Config) -> None:
        self.upstreams.set_up(made)

    async def change(self, made: Config) -> None:
        """Go by another configuration."""
        self.upstreams.adopt(await self.upstreams.prepare(made), made)

    @property
    def clusters(self) -> list[Cluster]:
        return list(self.upstreams.in_use.values())

    def only(self) -> Cluster:
        """The only cluster in use."""
        (cluster,) = self.clusters
        return cluster

    def pass_time(self, seconds: float) -> list[Cluster]:
        """Let time pass, then the janitor come round: the clusters that it closed."""
        self.turn.now += seconds
        return self.upstreams.tick()


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    yield rig
    await rig.upstreams.stop()


@pytest.fixture
async def node(start_node: Any) -> FakeNode:
    """One that knows itself as the only primary."""
    node: FakeNode = await start_node()
    node.answers |= cluster_answers([node.endpoint])
    return node


def of_node(node: FakeNode, **keys: Any) -> dict[str, Any]:
    """A Redis Cluster whose seed is ``node``."""
    return {"type": "redis_cluster", "endpoints": [str(node.endpoint)], "connect_timeout": f"{PATIENCE}s", **keys}


# -- what is used


def test_a_use_says_how_a_listener_uses_a_cluster() -> None:
    settings = {"enable_redirection": False, "slowlog_log_slower_than": "5ms"}
    (found,) = config(listener(**settings)).listeners
    assert use_of("main", ReadPolicy.ANY, found) == Use("main", ReadPolicy.ANY, OP_TIMEOUT, False, 0.005)


def test_every_cluster_that_is_routed_or_mirrored_to_is_used_once() -> None:
    alike = [listener("main", "copies", read_policy="any", name=name) for name in ("one", "two")]
    other = listener("copies", name="three")
    made = config(*alike, other, main={}, copies={}, spare={})
    found = [(use.name, use.read_policy, first.name) for use, first in uses_of(made).items()]
    assert found == [("main", ReadPolicy.ANY, "one"), ("copies", ReadPolicy.PRIMARY, "one")]


def test_routes_by_prefix_are_uses_too() -> None:
    by_prefix = listener("main")
    routes = [{"prefix": "a:", "cluster": "other", "request_mirror_policy": [{"cluster": "copies"}]}]
    by_prefix["redis_proxy"]["prefix_routes"]["routes"] = routes
    made = config(by_prefix, main={}, other={}, copies={})
    assert {use.name for use in uses_of(made)} == {"main", "other", "copies"}


@pytest.mark.parametrize(
    "settings",
    [{"read_policy": "any"}, {"op_timeout": "3s"}, {"enable_redirection": False}, {"slowlog_log_slower_than": "1ms"}],
)
def test_listeners_that_use_a_cluster_differently_do_not_share_it(settings: dict[str, Any]) -> None:
    assert len(uses_of(config(listener(), listener(name="other", **settings)))) == 2


# -- the first configuration


async def test_a_standalone_server_is_known_at_once(rig: Rig) -> None:
    rig.set_up(config())
    assert rig.only().topology == Topology.standalone(Endpoint("127.0.0.1", 1))
    assert rig.only().refresher is None


async def test_the_topology_of_a_cluster_is_learned_from_its_seeds(rig: Rig, node: FakeNode) -> None:
    rig.set_up(config(main=of_node(node)))
    await rig.upstreams.await_topologies(PATIENCE)
    assert rig.only().topology.endpoints() == (node.endpoint,)


async def test_a_topology_that_nobody_tells_is_not_waited_for_without_end(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.set_up(config(main={"type": "redis_cluster"}))
    async with asyncio.timeout(PATIENCE):
        await rig.upstreams.await_topologies(0.0)
    assert "cluster main: no node has told the topology yet" in caplog.text


async def test_a_cluster_is_as_its_first_listener_uses_it(rig: Rig) -> None:
    settings = {"read_policy": "any", "enable_redirection": False, "slowlog_max_len": 7}
    rig.set_up(config(listener(**settings, slowlog_log_slower_than="5ms")))
    cluster = rig.only()
    used = (cluster.read_policy, cluster.op_timeout, cluster.follows_redirections)
    assert used == (ReadPolicy.ANY, OP_TIMEOUT, False)
    assert (cluster.slow_log.slower_than, cluster.slow_log.entries.maxlen) == (0.005, 7)


# -- another configuration


async def test_a_cluster_that_is_used_as_before_stays_the_same(rig: Rig) -> None:
    rig.set_up(config())
    before = rig.only()
    pool = before.pool_of(0, is_read=False)
    await rig.change(config(listener(name="other")))
    assert rig.only() is before
    assert before.pool_of(0, is_read=False) is pool
    assert rig.upstreams.retired == []


async def test_nothing_changes_before_the_plan_is_adopted(rig: Rig) -> None:
    rig.set_up(config())
    (use,), before = rig.upstreams.in_use, rig.only()
    made = config(listener(read_policy="any", op_timeout="9s"), main={"mirror_queue_limit": 3})
    planned = await rig.upstreams.prepare(made)
    assert rig.upstreams.in_use == {use: before}
    assert (before.read_policy, before.op_timeout) == (ReadPolicy.PRIMARY, OP_TIMEOUT)
    rig.upstreams.adopt(planned, made)
    assert rig.only() is before
    assert (before.read_policy, before.op_timeout, before.settings.mirror_queue_limit) == (ReadPolicy.ANY, 9.0, 3)
    assert list(rig.upstreams.in_use) == list(uses_of(made))


async def test_a_cluster_that_is_still_used_is_not_taken_for_another_use(rig: Rig) -> None:
    rig.set_up(config())
    before = rig.only()
    await rig.change(config(listener(), listener(name="other", read_policy="any")))
    assert rig.clusters[0] is before
    assert rig.clusters[1] is not before
    assert [cluster.read_policy for cluster in rig.clusters] == [ReadPolicy.PRIMARY, ReadPolicy.ANY]


async def test_one_cluster_is_taken_for_one_other_use(rig: Rig) -> None:
    rig.set_up(config())
    before = rig.only()
    await rig.change(config(listener(read_policy="any"), listener(name="other", read_policy="replica")))
    assert rig.clusters[0] is before
    assert rig.clusters[1] is not before


async def test_a_cluster_of_another_name_is_another(rig: Rig) -> None:
    rig.set_up(config())
    before = rig.only()
    await rig.change(config(listener("other"), other={}))
    assert rig.only().name == "other"
    assert rig.upstreams.retired == [before]


@pytest.mark.parametrize("keys", [{"type": "redis_cluster"}, {"endpoints": ["127.0.0.1:2"]}])
@pytest.mark.parametrize("settings", [{}, {"read_policy": "any"}])
async def test_another_type_or_another_standalone_server_is_another_cluster(
    rig: Rig, keys: dict[str, Any], settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rproxy.server.upstreams._await_topologies.__defaults__", (0.0,))
    rig.set_up(config())
    before = rig.only()
    await rig.change(config(listener(**settings), main=keys))
    assert rig.only() is not before
    assert rig.upstreams.retired == [before]
    assert (rig.only().refresher is None) == ("endpoints" in keys)


async def test_a_new_cluster_has_its_topology_when_it_is_adopted(rig: Rig, node: FakeNode) -> None:
    rig.set_up(config())
    planned = await rig.upstreams.prepare(config(listener("other"), other=of_node(node)))
    assert [cluster.topology.endpoints() for cluster in planned.values()] == [(node.endpoint,)]
    rig.upstreams.drop(planned)


async def test_other_seeds_are_asked_by_the_same_cluster(rig: Rig, node: FakeNode, start_node: Any) -> None:
    rig.set_up(config(main=of_node(node)))
    await rig.upstreams.await_topologies(PATIENCE)
    before = rig.only()
    other = await start_node()
    other.answers |= cluster_answers([other.endpoint], epoch=2)
    await rig.change(config(main=of_node(other)))
    await other.heard("CLUSTER")
    assert rig.only() is before
    async with asyncio.timeout(PATIENCE):
        while before.topology.endpoints() != (other.endpoint,):
            await asyncio.sleep(0)


# -- slow logs


async def test_the_length_of_a_slow_log_changes_where_the_configuration_does(rig: Rig) -> None:
    rig.set_up(config(listener(slowlog_max_len=7)))
    slow_log = rig.only().slow_log
    slow_log.resize(3)  # CONFIG SET
    await rig.change(config(listener(slowlog_max_len=7, read_policy="any")))
    assert (rig.only().slow_log, slow_log.entries.maxlen) == (slow_log, 3)
    await rig.change(config(listener(slowlog_max_len=9)))
    assert slow_log.entries.maxlen == 9


async def test_the_threshold_of_a_slow_log_changes_where_the_configuration_does(rig: Rig) -> None:
    rig.set_up(config(listener(slowlog_log_slower_than="5ms")))
    slow_log = rig.only().slow_log
    slow_log.slower_than = 1.0  # CONFIG SET
    await rig.change(config(listener(slowlog_log_slower_than="5ms", read_policy="any")))
    assert slow_log.slower_than == 1.0
    await rig.change(config(listener(slowlog_log_slower_than="6ms")))
    assert slow_log.slower_than == 0.006


# -- those that are not used any more


async def test_what_nobody_needs_is_closed_once_a_request_would_be_over(rig: Rig) -> None:
    rig.set_up(config())
    before = rig.only()
    await rig.change(config(listener("other"), other={}))
    assert rig.pass_time(OP_TIMEOUT - A_MOMENT) == []
    assert rig.pass_time(2 * A_MOMENT) == [before]
    assert rig.upstreams.retired == []
    assert rig.pass_time(OP_TIMEOUT) == []


async def test_what_answers_a_request_is_kept_until_some_time_after(rig: Rig, start_node: Any) -> None:
    gate = Gate()
    node = await start_node({"GET": gate})
    rig.set_up(config(main={"endpoints": [str(node.endpoint)]}))
    before, replies = rig.only(), Replies()
    data = encode.command([b"GET", b"a"])
    before.submit(Request(data, replies, 0, CommandStats(), 0, True, 0, rig.turn.now))
    await rig.change(config(listener("other"), other={}))
    await node.heard("GET")
    assert rig.pass_time(OP_TIMEOUT - A_MOMENT) == []
    gate.is_open.set()
    assert await replies.have(1) == [b"$1\r\na\r\n"]
    assert rig.pass_time(OP_TIMEOUT - A_MOMENT) == []
    assert rig.pass_time(2 * A_MOMENT) == [before]
    await node.until_closed(0)


async def test_what_is_prepared_and_dropped_is_closed(rig: Rig, node: FakeNode) -> None:
    rig.set_up(config())
    before = rig.only()
    planned = await rig.upstreams.prepare(config(listener(), listener("other", name="b"), main={}, other=of_node(node)))
    rig.upstreams.drop(planned)
    assert [cluster.name for cluster in rig.upstreams.retired] == ["other"]
    (closed,) = rig.pass_time(OP_TIMEOUT + A_MOMENT)
    assert (closed.name, closed.refresher.state) == ("other", RefresherState.STOPPED)
    assert rig.clusters == [before]


async def test_the_janitor_looks_after_clusters_in_use(rig: Rig, start_node: Any) -> None:
    node = await start_node({"GET": Gate()})
    rig.set_up(config(main={"endpoints": [str(node.endpoint)]}))
    replies = Replies()
    data = encode.command([b"GET", b"a"])
    rig.only().submit(Request(data, replies, 0, CommandStats(), 0, True, 0, rig.turn.now))
    await node.heard("GET")
    rig.pass_time(OP_TIMEOUT + A_MOMENT)
    (reply,) = await replies.have(1)
    assert reply.startswith(b"-ERR upstream")


async def test_stopping_ends_refreshers_and_requests_of_all(rig: Rig, node: FakeNode) -> None:
    rig.set_up(config(main=of_node(node)))
    await rig.upstreams.await_topologies(PATIENCE)
    node.answers["GET"] = Gate()
    before, replies = rig.only(), Replies()
    data = encode.command([b"GET", b"a"])
    before.submit(Request(data, replies, 0, CommandStats(), 0, True, 0, rig.turn.now))
    await node.heard("GET")
    await rig.change(config(listener("other"), other={}))
    await rig.upstreams.stop()
    (reply,) = await replies.have(1)
    assert b"rproxy is stopping" in reply
    for number in range(len(node.peers)):
        await node.until_closed(number)
