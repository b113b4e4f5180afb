"""Commands off the fast path that are not split: each plan's way from the command to its reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rproxy.commands.keys import is_blocking, key_positions
from rproxy.commands.lookup import wrong_arity
from rproxy.commands.spec import CommandSpec, Plan
from rproxy.dispatch import scripts
from rproxy.dispatch.blocking import block
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.fan_out import fan_out
from rproxy.dispatch.local import answer
from rproxy.dispatch.mirror import Mirror
from rproxy.dispatch.parts import FanOutReply
from rproxy.dispatch.placement import CROSS_SLOT, place_of
from rproxy.dispatch.publish import publish, topic_of
from rproxy.dispatch.route import BoundRoute
from rproxy.metrics.counters import CommandStats
from rproxy.resp import encode
from rproxy.routing.assembler import MISMATCH, assemble, first_error
from rproxy.routing.streams import cut_streams, join_streams
from rproxy.topology.slots import hash_slot
from rproxy.upstream.failure import NO_ROUTE
from rproxy.upstream.request import Request
from rproxy.upstream.sink import Sink


def handle_whole(command: Command, context: Context) -> None:
    """Have ``command`` answered as its plan says."""
    HANDLERS[Plan(command.spec.plan)](command, context)


def refuse(command: Command, context: Context) -> None:
    """Answer a command that rproxy does not support."""
    command.reply(encode.error(command.spec.refusal or f"ERR {command.spec.name.decode()} is not supported by rproxy"))


def forward(command: Command, context: Context) -> None:
    """Send a command whole to the endpoint of its keys' slot; to any shard if it has no keys."""
    spec = command.spec
    if is_blocking(spec, command.args):
        block(command, context)
        return
    try:
        positions = key_positions(spec, command.args)
    except ValueError:
        positions = []  # the server words the error of a command that makes no sense
    route = context.route_of(command.args[positions[0]]) if positions else None
    place = place_of(command, positions, context)
    if place == CROSS_SLOT and spec.name == b"XREAD" and route is not None:
        split_streams(command, context, route, positions)
    elif isinstance(place, bytes):
        command.reply(place)
    elif (topic := topic_of(command)) is not None:
        publish(command, topic, place, lambda home: send_whole(command, context, home.route, home.slot))
    else:
        if spec.name in scripts.COMMANDS:
            scripts.prepare(command, context, place)
        send_whole(command, context, place.route, place.slot)


def send_whole(command: Command, context: Context, route: BoundRoute, slot: int) -> None:
    """Send the command to its route's cluster, and to the mirrors that want it."""
    stats = route.cluster.stats_of(command.spec) if context.counts_commands else None
    send(command, route, slot, stats)
    copy(command, wanting_mirrors(command.spec, route), slot)


def send(command: Command, route: BoundRoute, slot: int, stats: CommandStats | None) -> None:
    """Send the command's bytes to the shard of ``slot``."""
    cluster = route.cluster
    spec = command.spec
    affinity = command.session.affinity
    now = cluster.turn.now
    cluster.submit(Request(command.data, command.sink, command.token, stats, slot, spec.is_read, affinity, now))


def wanting_mirrors(spec: CommandSpec, route: BoundRoute) -> list[Mirror]:
    """The mirrors of the route that copy this command: drawn once per command."""
    return [mirror for mirror in route.mirrors if mirror.wants(spec)]


def copy(command: Command, mirrors: list[Mirror], slot: int) -> None:
    """Copy the command's bytes to ``mirrors``."""
    for mirror in mirrors:
        target = slot if slot >= 0 else max(mirror.cluster.any_slot(), 0)
        mirror.copy(command.spec, command.data, 0, len(command.data), target)


def split(command: Command, context: Context) -> None:
    """Split a command whose keys may belong to several routes: a fragment for each route and slot."""
    spec, args, step = command.spec, command.args, command.spec.key_step
    if (len(args) - spec.first_key) % step:
        command.reply(wrong_arity(spec))
        return
    by_place: dict[tuple[int, int], list[int]] = {}
    routes: dict[int, BoundRoute] = {}
    for position in range(spec.first_key, len(args), step):
        route = context.route_of(args[position])
        if route is None:
            command.reply(NO_ROUTE.line())
            return
        args[position] = route.rule.upstream_key(args[position])
        routes[id(route)] = route
        by_place.setdefault((id(route), hash_slot(args[position])), []).append(position)
    mirrors = {route_id: wanting_mirrors(spec, route) for route_id, route in routes.items()}
    places = list(by_place.values())
    sink: Sink = FanOutReply(command, len(places), lambda replies: assemble(spec.response_policy, places, replies))
    for index, ((route_id, slot), positions) in enumerate(by_place.items()):
        route = routes[route_id]
        pieces = [argument for position in positions for argument in args[position : position + step]]
        fragment = Command(spec, args, encode.command([args[0], *pieces]), command.session, sink, index)
        is_counted = context.counts_commands and index == 0
        send(fragment, route, slot, route.cluster.stats_of(spec) if is_counted else None)
        copy(fragment, mirrors[route_id], slot)


def split_streams(command: Command, context: Context, route: BoundRoute, positions: Sequence[int]) -> None:
    """Read streams of several slots: an XREAD for each slot."""
    args, protocol = command.args, command.session.protocol
    by_slot: dict[int, list[int]] = {}
    for position in positions:
        by_slot.setdefault(hash_slot(args[position]), []).append(position)

    def finish(replies: list[bytes]) -> bytes:
        try:
            return first_error(replies) or join_streams([args[position] for position in positions], replies, protocol)
        except ValueError:
            return MISMATCH

    sink = FanOutReply(command, len(by_slot), finish)
    mirrors = wanting_mirrors(command.spec, route)
    for index, (slot, chosen) in enumerate(by_slot.items()):
        data = encode.command(cut_streams(args, positions, chosen))
        fragment = Command(command.spec, args, data, command.session, sink, index)
        is_counted = context.counts_commands and index == 0
        send(fragment, route, slot, route.cluster.stats_of(command.spec) if is_counted else None)
        copy(fragment, mirrors, slot)


HANDLERS: dict[Plan, Callable[[Command, Context], None]] = {
    Plan.PLAIN: forward,
    Plan.KEYED: forward,
    Plan.SPLIT: split,
    Plan.FAN_OUT: fan_out,
    Plan.LOCAL: answer,
    Plan.UNSUPPORTED: refuse,
}
