"""The one route and the one slot of a command's keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rproxy.commands.lookup import COMMANDS
from rproxy.dispatch.command import Command
from rproxy.dispatch.placement import CROSS_ROUTE, CROSS_SLOT, NO_KEYS_SLOT, Place, place_of
from rproxy.resp import encode
from rproxy.routing.routes import Route
from rproxy.topology.slots import hash_slot
from rproxy.topology.snapshot import Topology
from rproxy.upstream.failure import NO_ROUTE
from tests.support.dispatch import Dispatch

APP = Route("main", b"app:", remove_prefix=True)
RAW = Route("main", b"raw:")


@pytest.fixture
async def routed(make_dispatch: Callable[..., Dispatch], topology: Topology) -> Dispatch:
    return make_dispatch({"main": topology}, None, [APP, RAW])


def command(dispatch: Dispatch, line: str) -> Command:
    args = line.encode().split()
    return Command(COMMANDS.get(args[0]), args, encode.command(args), dispatch.session, dispatch.replies, 0)


async def test_keys_that_share_route_and_slot(routed: Dispatch) -> None:
    asked = command(routed, "SINTER raw:{x}1 raw:{x}2")
    assert place_of(asked, [1, 2], routed.context) == Place(routed.bound[RAW], hash_slot(b"x"))
    assert asked.args == [b"SINTER", b"raw:{x}1", b"raw:{x}2"]


async def test_a_prefix_is_removed_before_the_slot_is_looked_for(routed: Dispatch) -> None:
    asked = command(routed, "RENAME app:{x}1 app:{x}2")
    assert place_of(asked, [1, 2], routed.context) == Place(routed.bound[APP], hash_slot(b"x"))
    assert asked.data == encode.command([b"RENAME", b"{x}1", b"{x}2"])


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("SINTER raw:a raw:b", CROSS_SLOT),
        ("SINTER raw:{x} app:{x}", CROSS_ROUTE),
        ("SINTER other:a other:a", NO_ROUTE.line()),
        ("SINTER raw:{x} other:{x}", CROSS_ROUTE),
    ],
)
async def test_keys_apart_are_an_error(routed: Dispatch, line: str, error: bytes) -> None:
    assert place_of(command(routed, line), [1, 2], routed.context) == error


async def test_without_keys_any_slot_will_do(routed: Dispatch) -> None:
    assert place_of(command(routed, "EVAL x 0"), [], routed.context) == Place(routed.bound[APP], NO_KEYS_SLOT)
