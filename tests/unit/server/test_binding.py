"""A listener's routes lead to the clusters that they name, each used as the listener says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from rproxy.config.models import ClusterConfig, ListenerConfig
from rproxy.dispatch.route import BoundRoute
from rproxy.server.binding import Bound, bind
from rproxy.server.upstreams import Use
from rproxy.topology.read_policy import ReadPolicy
from rproxy.transport.connection import Turn
from rproxy.upstream.cluster import Cluster

ClusterOf = Callable[[Use], Cluster]


@pytest.fixture
def clusters() -> dict[Use, Cluster]:
    """What was asked for, by its use."""
    return {}


@pytest.fixture
async def cluster_of(clusters: dict[Use, Cluster]) -> ClusterOf:
    turn = Turn(asyncio.get_running_loop())

    def find(use: Use) -> Cluster:
        if use not in clusters:
            settings = ClusterConfig(name=use.name, endpoints=["127.0.0.1:1"], mirror_queue_limit=7)
            clusters[use] = Cluster(
                settings,
                use.read_policy,
                turn,
                op_timeout=use.op_timeout,
                follows_redirections=use.follows_redirections,
                draw=lambda: 0.0,
            )
        return clusters[use]

    return find


def listener(*routes: dict[str, Any], catch_all: dict[str, Any] | None = None, **keys: Any) -> ListenerConfig:
    """Its keywords are further keys of ``prefix_routes``."""
    prefix_routes = {"routes": routes, **({"catch_all_route": catch_all} if catch_all else {}), **keys}
    settings = {"read_policy": "replica", "op_timeout": "2s"}
    return ListenerConfig.model_validate(
        {
            "name": "redis",
            "address": "127.0.0.1:0",
            "redis_proxy": {"settings": settings, "prefix_routes": prefix_routes},
        }
    )


def route_of(bound: Bound, key: bytes) -> BoundRoute:
    """What the route of ``key`` is bound to."""
    route = bound.table.match(key)
    assert route is not None
    return bound.routes[id(route)]


async def test_each_route_leads_to_the_cluster_it_names(cluster_of: ClusterOf) -> None:
    bound = bind(listener({"prefix": "a:", "cluster": "one"}, catch_all={"cluster": "two"}), cluster_of)
    assert [route_of(bound, key).cluster.name for key in (b"a:1", b"b:1")] == ["one", "two"]
    assert {id(route) for route in bound.table.routes} == set(bound.routes)


async def test_without_a_catch_all_other_keys_have_no_route(cluster_of: ClusterOf) -> None:
    bound = bind(listener({"prefix": "a:", "cluster": "one"}), cluster_of)
    assert bound.table.match(b"b:1") is None
    assert len(bound.routes) == 1


async def test_reads_of_a_route_go_by_the_listeners_policy_and_copies_to_primaries(
    cluster_of: ClusterOf, clusters: dict[Use, Cluster]
) -> None:
    mirrors = [{"cluster": "copies"}]
    bound = bind(listener(catch_all={"cluster": "one", "request_mirror_policy": mirrors}), cluster_of)
    policies = {use.name: use.read_policy for use in clusters}
    assert policies == {"one": ReadPolicy.REPLICA, "copies": ReadPolicy.PRIMARY}
    assert {use.op_timeout for use in clusters} == {2.0}
    (mirror,) = route_of(bound, b"").mirrors
    assert (mirror.cluster.name, mirror.queue_limit) == ("copies", 7)


async def test_a_mirror_gets_what_its_policy_says(cluster_of: ClusterOf) -> None:
    mirrors = [
        {"cluster": "writes", "exclude_read_commands": True},
        {"cluster": "none", "runtime_fraction": "0%"},
        {"cluster": "all"},
    ]
    bound = bind(listener(catch_all={"cluster": "one", "request_mirror_policy": mirrors}), cluster_of)
    found = route_of(bound, b"").mirrors
    wants = {mirror.cluster.name: (mirror.wants_unit(False), mirror.wants_unit(True)) for mirror in found}
    assert wants == {"writes": (False, True), "none": (False, False), "all": (True, True)}


async def test_prefixes_are_taken_off_and_compared_as_the_listener_says(cluster_of: ClusterOf) -> None:
    routes = [{"prefix": "a:", "cluster": "one", "remove_prefix": True}, {"prefix": "b:", "cluster": "one"}]
    bound = bind(listener(*routes, case_insensitive=True), cluster_of)
    assert route_of(bound, b"A:1").rule.upstream_key(b"A:1") == b"1"
    assert route_of(bound, b"b:1").rule.upstream_key(b"b:1") == b"b:1"
    assert bind(listener(*routes), cluster_of).table.match(b"A:1") is None


# -- another configuration


async def test_a_route_that_stays_leads_elsewhere_and_is_the_same(cluster_of: ClusterOf) -> None:
    stripped = {"prefix": "a:", "remove_prefix": True}
    before = bind(listener({**stripped, "cluster": "one"}, catch_all={"cluster": "one"}), cluster_of)
    kept = {key: route_of(before, key) for key in (b"a:", b"")}
    catch_all = {"cluster": "three", "request_mirror_policy": [{"cluster": "copies"}]}
    after = bind(listener({**stripped, "cluster": "two"}, catch_all=catch_all), cluster_of, before.routes.values())
    assert {key: route_of(after, key) for key in kept} == kept
    assert [route.cluster.name for route in kept.values()] == ["two", "three"]
    assert [route.rule.cluster for route in kept.values()] == ["two", "three"]
    assert [[mirror.cluster.name for mirror in route.mirrors] for route in kept.values()] == [[], ["copies"]]


@pytest.mark.parametrize(
    "route",
    [
        {"prefix": "b:", "cluster": "one"},
        {"prefix": "a:", "cluster": "one", "remove_prefix": True},
    ],
)
async def test_a_route_under_another_name_is_another(cluster_of: ClusterOf, route: dict[str, Any]) -> None:
    before = bind(listener({"prefix": "a:", "cluster": "one"}), cluster_of)
    (old,) = before.routes.values()
    after = bind(listener(route), cluster_of, [old])
    (new,) = after.routes.values()
    assert new is not old
    assert (old.rule.prefix, old.rule.remove_prefix) == (b"a:", False)
