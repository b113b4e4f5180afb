"""CLUSTER: rproxy as a cluster of one node that serves every slot, so that cluster-mode clients can use it unchanged.

The node stands at the address that the client used, or at the configured one. Replies have the form of Redis 7.0's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from rproxy.commands.spec import ResponsePolicy
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.parts import send_to_all
from rproxy.resp import encode
from rproxy.resp.encode import Text, Value
from rproxy.resp.integer import integer_of
from rproxy.routing.assembler import merge
from rproxy.topology.slots import SLOT_COUNT, hash_slot
from rproxy.topology.snapshot import Endpoint
from rproxy.upstream.failure import NO_TOPOLOGY

_LAST_SLOT = SLOT_COUNT - 1
_BUS_OFFSET = 10_000
"""A node's bus port is so much above its port ("Cluster bus" in the cluster specification)."""
_MAPPED = "::ffff:"
"""Before an IPv4 address that a client of a dual-stack socket used."""
_INFO = "".join(
    f"{line}\r\n"
    for line in (
        "cluster_state:ok",
        f"cluster_slots_assigned:{SLOT_COUNT}",
        f"cluster_slots_ok:{SLOT_COUNT}",
        "cluster_slots_pfail:0",
        "cluster_slots_fail:0",
        "cluster_known_nodes:1",
        "cluster_size:1",
        "cluster_current_epoch:1",
        "cluster_my_epoch:1",
        "cluster_stats_messages_sent:0",
        "cluster_stats_messages_received:0",
        "total_cluster_links_buffer_limit_exceeded:0",
    )
).encode()
NOT_AN_INTEGER = encode.error("ERR value is not an integer or out of range")

Answer = Callable[[Command, Context], Value]


def announced(command: Command, context: Context) -> Endpoint:
    """Where the client is told to find the node.

    Through a Unix socket there is no address, unless one is configured: the host is empty then, which clients take
    for the one they are connected to.
    """
    if context.cluster_announce is not None:
        return context.cluster_announce
    try:
        endpoint = Endpoint.parse(command.session.local_address)
    except ValueError:
        return Endpoint("", 0)
    return Endpoint(endpoint.host.removeprefix(_MAPPED), endpoint.port) if "." in endpoint.host else endpoint


def node_id(endpoint: Endpoint, kind: str = "node") -> bytes:
    """The 40 hexadecimal digits that name the node (or its shard): the same in every worker and after a restart."""
    return hashlib.sha256(f"rproxy {kind} {endpoint}".encode()).hexdigest()[:40].encode()


# -- what the cluster looks like


def _slots(command: Command, context: Context) -> Value:
    node = announced(command, context)
    return [[0, _LAST_SLOT, [node.host.encode(), node.port, node_id(node), {}]]]


def _shards(command: Command, context: Context) -> Value:
    node = announced(command, context)
    facts: dict[bytes, Value] = {
        b"id": node_id(node),
        b"port": node.port,
        b"ip": node.host.encode(),
        b"endpoint": node.host.encode(),
        b"role": b"master",
        b"replication-offset": 0,
        b"health": b"online",
    }
    return [{b"slots": [0, _LAST_SLOT], b"nodes": [facts]}]


def _nodes(command: Command, context: Context) -> Value:
    node = announced(command, context)
    place = f"{node.host}:{node.port}@{node.port + _BUS_OFFSET if node.port else 0}"
    line = f"{node_id(node).decode()} {place} myself,master - 0 0 1 connected 0-{_LAST_SLOT}\n"
    return Text(line.encode())


def _info(command: Command, context: Context) -> Value:
    return Text(_INFO)


def _my_id(command: Command, context: Context) -> Value:
    return node_id(announced(command, context))


def _my_shard_id(command: Command, context: Context) -> Value:
    return node_id(announced(command, context), "shard")


def _links(command: Command, context: Context) -> Value:
    return []


def _key_slot(command: Command, context: Context) -> Value:
    return hash_slot(command.args[2])


ANSWERS: dict[bytes, Answer] = {
    b"CLUSTER|INFO": _info,
    b"CLUSTER|KEYSLOT": _key_slot,
    b"CLUSTER|LINKS": _links,
    b"CLUSTER|MYID": _my_id,
    b"CLUSTER|MYSHARDID": _my_shard_id,
    b"CLUSTER|NODES": _nodes,
    b"CLUSTER|SHARDS": _shards,
    b"CLUSTER|SLOTS": _slots,
}


def answer(command: Command, context: Context) -> bytes:
    """The subcommands that only describe."""
    return encode.reply(ANSWERS[command.spec.name](command, context), command.session.protocol)


# -- what is asked of one node

_MERGED = {
    b"CLUSTER|COUNTKEYSINSLOT": ResponsePolicy.AGG_SUM,
    b"CLUSTER|GETKEYSINSLOT": ResponsePolicy.CONCATENATE,
}


def of_node(command: Command, context: Context) -> bytes:
    """CLUSTER REPLICAS, SLAVES and COUNT-FAILURE-REPORTS: the node has none."""
    wanted = command.args[2]
    if wanted.lower() != node_id(announced(command, context)):
        return encode.error(f"ERR Unknown node {wanted.decode('latin-1')}")
    is_count = command.spec.name == b"CLUSTER|COUNT-FAILURE-REPORTS"
    return encode.integer(0) if is_count else encode.EMPTY_ARRAY


def in_slot(command: Command, context: Context) -> bytes | None:
    """CLUSTER COUNTKEYSINSLOT and GETKEYSINSLOT: asked of the slot's shard, in each cluster behind the listener."""
    try:
        numbers = [integer_of(argument) for argument in command.args[2:]]
    except ValueError:
        return NOT_AN_INTEGER
    slot, count = numbers[0], numbers[-1]
    if not 0 <= slot <= _LAST_SLOT or count < 0:
        return encode.error("ERR Invalid slot or number of keys" if len(numbers) > 1 else "ERR Invalid slot")
    clusters = context.clusters()
    unknown = [cluster for cluster in clusters if not cluster.topology.covered]
    if unknown:
        return NO_TOPOLOGY.line(unknown[0].name)
    targets = [(cluster, slot) for cluster in clusters]
    policy = _MERGED[command.spec.name]
    send_to_all(command, context, targets, lambda replies: merge(policy, replies))
    return None


HANDLERS: dict[bytes, Callable[[Command, Context], bytes | None]] = {
    **dict.fromkeys(ANSWERS, answer),
    b"CLUSTER|COUNT-FAILURE-REPORTS": of_node,
    **dict.fromkeys(_MERGED, in_slot),
    b"CLUSTER|REPLICAS": of_node,
    b"CLUSTER|SLAVES": of_node,
}
"""The handlers of CLUSTER's subcommands, by name in the command table."""
