"""Which route a key takes, and what stands behind all routes of a listener."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rproxy.routing.routes import MirrorRule, Route
from rproxy.topology.snapshot import Topology
from tests.support.dispatch import MAIN, Dispatch

MakeDispatch = Callable[..., Dispatch]
SHORT = Route("short", b"x:", remove_prefix=True, mirrors=(MirrorRule("copies"),))
LONG = Route("main", b"x:y:", mirrors=(MirrorRule("copies"), MirrorRule("others")))
NAMES = ("main", "short", "copies", "others")


@pytest.fixture
async def routed(make_dispatch: MakeDispatch) -> Dispatch:
    return make_dispatch({name: Topology.empty() for name in NAMES}, MAIN, [SHORT, LONG])


async def test_the_longest_prefix_is_the_route(routed: Dispatch) -> None:
    context = routed.context
    for key, route in ((b"x:y:1", LONG), (b"x:y", SHORT), (b"x:", SHORT), (b"x", MAIN), (b"", MAIN)):
        assert context.route_of(key) is routed.bound[route]
    assert context.keyless_route() is routed.bound[MAIN]
    assert context.only_route is None


async def test_a_single_catch_all_is_the_only_route(make_dispatch: MakeDispatch) -> None:
    dispatch = make_dispatch({"main": Topology.empty()})
    assert dispatch.context.only_route is dispatch.bound[MAIN]


async def test_without_a_catch_all_a_key_may_have_no_route(make_dispatch: MakeDispatch) -> None:
    dispatch = make_dispatch({name: Topology.empty() for name in NAMES}, None, [SHORT])
    assert dispatch.context.route_of(b"y") is None
    assert dispatch.context.only_route is None
    assert dispatch.context.keyless_route() is dispatch.bound[SHORT]


async def test_clusters_and_mirrors_behind_the_routes_stand_once(routed: Dispatch) -> None:
    assert [cluster.name for cluster in routed.context.clusters()] == ["short", "main"]
    assert [mirror.cluster.name for mirror in routed.context.mirrors()] == ["copies", "others"]
