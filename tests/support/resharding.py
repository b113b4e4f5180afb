"""Slots that are moved between real nodes, as ``redis-cli --cluster reshard`` moves them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence

import hiredis

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.redis_process import RedisProcess
from rproxy.topology.slots import hash_slot
from tests.support.waiting import await_true

DWELL = 0.005
"""Seconds for which a slot stays as it is after each key, so that clients find it half-way."""


def keys_by_primary(cluster: EmbeddedCluster, keys: Iterable[str]) -> dict[int, list[str]]:
    """The keys by the port of the primary that has their slot now."""
    ranges = cluster.slot_ranges()
    found: dict[int, list[str]] = {nodes[0].port: [] for _, _, nodes in ranges}
    for key in keys:
        slot = hash_slot(key.encode())
        found[next(nodes[0].port for first, last, nodes in ranges if first <= slot <= last)].append(key)
    return found


def node_id(node: RedisProcess) -> str:
    """The name of a node in its cluster."""
    identity: bytes = node.call("CLUSTER", "MYID")
    return identity.decode()


def move_slots(
    slots: Sequence[int],
    source: RedisProcess,
    target: RedisProcess,
    everyone: Sequence[RedisProcess],
    *,
    dwell: float = DWELL,
) -> None:
    """Move slots with their keys, one key after the other, so that commands of several keys meet them half-way."""
    from_id, to_id = node_id(source), node_id(target)
    with source.connect() as old, target.connect() as new:
        for slot in slots:
            new.call("CLUSTER", "SETSLOT", slot, "IMPORTING", from_id)
            old.call("CLUSTER", "SETSLOT", slot, "MIGRATING", to_id)
            while keys := old.call("CLUSTER", "GETKEYSINSLOT", slot, 1):
                old.call("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
                time.sleep(dwell)
            new.call("CLUSTER", "SETSLOT", slot, "NODE", to_id)
            with contextlib.suppress(hiredis.ReplyError):  # without its last slot it is already a replica of the target
                old.call("CLUSTER", "SETSLOT", slot, "NODE", to_id)
    moved = set(slots)
    await_true(lambda: all(moved <= _slots_of(node, to_id) for node in everyone))


def _slots_of(node: RedisProcess, name: str) -> set[int]:
    """The slots of the primary of that name, as a node sees it."""
    ranges = node.call("CLUSTER", "SLOTS")
    return {
        slot
        for first, last, (_, _, owner, *_), *_ in ranges
        if owner.decode() == name
        for slot in range(first, last + 1)
    }


def owned_slots(node: RedisProcess) -> list[int]:
    """The slots that a node serves, as it says."""
    return sorted(_slots_of(node, node_id(node)))
