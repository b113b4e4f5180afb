from __future__ import annotations

from collections.abc import Callable

from rproxy.routing.routes import Route
from rproxy.topology.snapshot import Topology
from tests.support.dispatch import Dispatch


async def test_a_route_is_direct_unless_it_changes_keys(make_dispatch: Callable[..., Dispatch]) -> None:
    routes = [Route("main", b"x:", remove_prefix=True), Route("main", b"y:")]
    dispatch = make_dispatch({"main": Topology.empty()}, Route("main"), routes)
    assert [(bound.rule.prefix, bound.is_direct) for bound in dispatch.bound.values()] == [
        (b"x:", False),
        (b"y:", True),
        (b"", True),
    ]
    assert {bound.cluster for bound in dispatch.bound.values()} == {dispatch.clusters["main"]}
