"""Commands that go to every shard, or to every node, and come back as one reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rproxy.dispatch import aside, keyspace, node_reports, scripts, server_config
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.parts import Target, send_to_all, shards_of
from rproxy.routing.assembler import merge
from rproxy.upstream.failure import NO_TOPOLOGY

Special = Callable[[Command, Context, Sequence[Target]], None]


def fan_out(command: Command, context: Context) -> None:
    """Send ``command`` to all shards (or nodes) of the listener's clusters and answer with the merged reply."""
    special = SPECIAL.get(command.spec.name)
    targets = shards_of(context)
    unknown = [cluster for cluster in context.clusters() if not cluster.topology.covered]
    if unknown:
        command.reply(NO_TOPOLOGY.line(unknown[0].name))
    elif special is not None:
        special(command, context, targets)
    else:
        policy = command.spec.response_policy
        send_to_all(command, context, targets, lambda replies: merge(policy, replies))
    if not unknown and command.spec.is_write:
        copy_to_mirrors(command, context)


def copy_to_mirrors(command: Command, context: Context) -> None:
    """Copy a command to every shard of the mirrors that want it."""
    for mirror in context.mirrors():
        if mirror.wants(command.spec):
            for slot in mirror.cluster.shard_slots():
                mirror.copy(command.spec, command.data, 0, len(command.data), slot)


SPECIAL: dict[bytes, Special] = {
    **aside.SPECIAL,
    **keyspace.SPECIAL,
    **node_reports.SPECIAL,
    **scripts.SPECIAL,
    **server_config.SPECIAL,
}
"""Commands whose way or whose reply no policy describes."""
