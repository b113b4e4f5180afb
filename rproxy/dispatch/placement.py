"""Where a command belongs: the one route and the one slot of all its keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.route import BoundRoute
from rproxy.resp import encode
from rproxy.topology.slots import hash_slot
from rproxy.upstream.failure import NO_ROUTE

CROSS_SLOT = encode.error("CROSSSLOT Keys in request don't hash to the same slot")
CROSS_ROUTE = encode.error("CROSSSLOT Keys in request belong to different routes")
NO_KEYS_SLOT = -1


class Place(NamedTuple):
    """A route, and a slot of its cluster: ``NO_KEYS_SLOT`` without keys."""

    route: BoundRoute
    slot: int


def place_of(command: Command, positions: Sequence[int], context: Context) -> Place | bytes:
    """The place of a command whose keys stand at ``positions``, with its route's prefix removed; else the error."""
    if not positions:
        return Place(context.keyless_route(), NO_KEYS_SLOT)
    routes = {id(route): route for route in (context.route_of(command.args[position]) for position in positions)}
    if len(routes) > 1:
        return CROSS_ROUTE
    route = next(iter(routes.values()))
    if route is None:
        return NO_ROUTE.line()
    if not route.is_direct:
        for position in positions:
            command.args[position] = route.rule.upstream_key(command.args[position])
        command.data = encode.command(command.args)
    slots = {hash_slot(command.args[position]) for position in positions}
    return Place(route, slots.pop()) if len(slots) == 1 else CROSS_SLOT
