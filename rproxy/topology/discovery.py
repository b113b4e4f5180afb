"""Reading a node's answers about its cluster, and judging whether they may replace what is known.

The forms are those of CLUSTER SLOTS and CLUSTER INFO (https://redis.io/docs/latest/commands/cluster-slots/ and
``cluster-info/``), as hiredis gives them: lists, dictionaries, integers, bytes, ``None``, and errors as exceptions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from rproxy.errors import TopologyError
from rproxy.topology.announced import announced_endpoint
from rproxy.topology.slots import SLOT_COUNT
from rproxy.topology.snapshot import NO_SHARD, Endpoint, Shard, Topology

_SHOWN = 80
"""Characters of a wrong value that an error quotes."""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The cluster as one node sees it: ``epoch`` is its ``cluster_current_epoch``, which grows with every change.

    ``is_serving`` is false while the node reports ``cluster_state:fail``: it is partitioned, or slots have no primary.
    ``nodes`` are the names of the nodes that it knows, by which a cluster is told from another; they stay the same when
    addresses change. Empty where they are not told.
    """

    topology: Topology
    epoch: int = 0
    is_serving: bool = True
    nodes: frozenset[bytes] = frozenset()

    def is_of_another_cluster(self, current: ClusterView | None) -> bool:
        """Whether not one of the nodes of ``current`` is known here: another cluster has the address, or a new one."""
        return current is not None and bool(self.nodes and current.nodes) and self.nodes.isdisjoint(current.nodes)


@dataclass(frozen=True, slots=True)
class _SlotRange:
    start: int
    end: int
    primary: Endpoint
    replicas: tuple[Endpoint, ...]


def view_of(slots: object, info: object, asked: Endpoint) -> ClusterView:
    """What node ``asked`` says, from its replies to CLUSTER SLOTS and CLUSTER INFO. Raises ``TopologyError``."""
    topology = topology_from_slots(slots, asked)
    nodes = _names_of_nodes(slots)
    if isinstance(info, Exception):
        # A user that may ask for CLUSTER SLOTS alone: a topology without an epoch is better than none.
        return ClusterView(topology, nodes=nodes)
    epoch, is_serving = _epoch_and_state(info)
    return ClusterView(topology, epoch, is_serving, nodes)


def topology_from_slots(reply: object, asked: Endpoint) -> Topology:
    """The topology in a reply to CLUSTER SLOTS by node ``asked``.

    Raises ``TopologyError`` (one line) if the reply is malformed or makes no sense. The result does not depend on the
    order in which a node lists ranges and replicas, so the answers of two nodes that agree are equal.
    """
    if isinstance(reply, Exception):
        raise TopologyError(f"CLUSTER SLOTS was refused: {_shown(str(reply))}")
    if not isinstance(reply, list):
        raise TopologyError(f"CLUSTER SLOTS gave no list: {_shown(reply)}")
    if not reply:
        raise TopologyError("CLUSTER SLOTS is empty: the node knows of no slots")
    found = (_slot_range(entry, asked) for entry in reply)
    ranges = sorted((each for each in found if each is not None), key=lambda slot_range: slot_range.start)
    if not ranges:
        raise TopologyError("CLUSTER SLOTS has no address of any primary")
    for before, after in pairwise(ranges):
        if after.start <= before.end:
            raise TopologyError(f"CLUSTER SLOTS gives slot {after.start} to two shards")
    return _topology_of(ranges)


def _topology_of(ranges: Iterable[_SlotRange]) -> Topology:
    """One shard per primary, in the order of their first slots."""
    replicas: dict[Endpoint, set[Endpoint]] = {}
    indexes: dict[Endpoint, int] = {}
    slots = [NO_SHARD] * SLOT_COUNT
    for slot_range in ranges:
        primary = slot_range.primary
        index = indexes.setdefault(primary, len(indexes))
        replicas.setdefault(primary, set()).update(slot_range.replicas)
        slots[slot_range.start : slot_range.end + 1] = [index] * (slot_range.end + 1 - slot_range.start)
    shards = (Shard(primary, tuple(sorted(found - {primary}))) for primary, found in replicas.items())
    return Topology(tuple(shards), tuple(slots))


def _slot_range(entry: object, asked: Endpoint) -> _SlotRange | None:
    """``[start, end, primary, replica, …]``; ``None`` if the primary has no address: nothing serves the slots."""
    if not isinstance(entry, list) or len(entry) < 3:
        raise TopologyError(f"CLUSTER SLOTS has an entry that is no range with a node: {_shown(entry)}")
    start, end = entry[:2]
    if not (_is_int(start) and _is_int(end) and 0 <= start <= end < SLOT_COUNT):
        raise TopologyError(f"CLUSTER SLOTS has no valid range of slots: {_shown(entry[:2])}")
    primary, *replicas = (_node(node, asked) for node in entry[2:])
    if primary is None:
        return None
    return _SlotRange(start, end, primary, tuple(replica for replica in replicas if replica is not None))


def _node(node: object, asked: Endpoint) -> Endpoint | None:
    """``[preferred endpoint, port, id, metadata]``; the last two came with Redis 4.0 and 7.0.

    ``None`` for one without an address (flag ``noaddr``): another node was found where it used to be.
    """
    if not isinstance(node, list) or len(node) < 2:
        raise TopologyError(f"CLUSTER SLOTS has a node without an address: {_shown(node)}")
    host, port = node[:2]
    if _is_int(port) and port == 0:
        return None
    endpoint = None
    if _is_int(port) and (host is None or isinstance(host, bytes)):
        if host == b"?":
            # The node prefers hostnames and knows none for this one; its address stands in the metadata.
            host = _ip_of(node[3]) if len(node) > 3 else host
        endpoint = announced_endpoint(host, port, asked)
    if endpoint is None:
        raise TopologyError(f"CLUSTER SLOTS has a node with a wrong address: {_shown(node[:2])}")
    return endpoint


def _names_of_nodes(slots: Any) -> frozenset[bytes]:
    """The names in a reply to CLUSTER SLOTS that ``topology_from_slots`` has understood."""
    named = [node for entry in slots for node in entry[2:] if len(node) > 2]
    return frozenset(node[2] for node in named if isinstance(node[2], bytes))


def _ip_of(metadata: object) -> bytes:
    """The entry ``ip`` of a node's metadata (a map in RESP3, a flat list in RESP2), empty if there is none."""
    pairs: Iterable[tuple[object, object]] = ()
    if isinstance(metadata, dict):
        pairs = metadata.items()
    elif isinstance(metadata, list):
        pairs = zip(metadata[::2], metadata[1::2], strict=False)
    return next((value for name, value in pairs if name == b"ip" and isinstance(value, bytes)), b"")


def _epoch_and_state(info: object) -> tuple[int, bool]:
    """``cluster_current_epoch`` (0 if it is not told) and whether ``cluster_state`` is ok, from CLUSTER INFO."""
    if not isinstance(info, bytes):
        raise TopologyError(f"CLUSTER INFO gave no text: {_shown(info)}")
    fields = dict(line.strip().partition(b":")[::2] for line in info.splitlines())
    state = fields.get(b"cluster_state")
    if not state:
        raise TopologyError(f"CLUSTER INFO tells no cluster_state: {_shown(info)}")
    epoch = fields.get(b"cluster_current_epoch", b"0")
    if not epoch.isdigit() or len(epoch) > 20:
        raise TopologyError(f"CLUSTER INFO has no valid cluster_current_epoch: {_shown(epoch)}")
    return int(epoch), state == b"ok"


def may_replace(current: ClusterView | None, new: ClusterView) -> str | None:
    """Why ``new`` should not replace ``current`` while another node can be asked; ``None`` if it may.

    Anything is better than nothing. Else a node is doubted that sees the cluster as failed, since it may be cut off,
    and one whose epoch is behind ("Configuration epoch" in the cluster specification), since it has missed a change.
    So is one that knows no owner of slots that were served: a node that hears from a demoted primary before it hears
    from the promoted replica takes the slots from the one, and gives them to the other when that one speaks.
    """
    if current is None or new.topology == current.topology:
        return None
    if new.is_of_another_cluster(current):
        return "the node is of another cluster: it knows none of the nodes"
    if not new.is_serving:
        return "the node sees the cluster as failed"
    if new.epoch < current.epoch:
        return f"the node is behind: epoch {new.epoch}, where {current.epoch} is known"
    lost = new.topology.slots_lost_from(current.topology)
    return f"the node knows no owner of {lost} slots that were served" if lost else None


def last_resort(current: ClusterView | None, doubted: Sequence[ClusterView]) -> ClusterView | None:
    """The best of the views that ``may_replace`` refused, when nobody else can be asked; ``None`` to keep ``current``.

    One that is failed on every node is taken as it stands. A node of the same cluster that is behind is never believed,
    alone as it may be: it has missed a change. Another cluster that serves is this one, built anew.
    """
    usable = [view for view in doubted if _may_be_believed(current, view)]
    return max(
        usable,
        key=lambda view: (
            not view.is_of_another_cluster(current),
            view.is_serving,
            view.epoch,
            view.topology.covered,
        ),
        default=None,
    )


def _may_be_believed(current: ClusterView | None, view: ClusterView) -> bool:
    """Whether to go by ``view`` where nobody knows better."""
    if current is None:
        return True
    if view.is_of_another_cluster(current):
        return view.is_serving
    is_known_to_be_the_same = bool(view.nodes & current.nodes)
    return view.epoch >= current.epoch or (view.is_serving and not is_known_to_be_the_same)


def confirmed(current: ClusterView | None, new: ClusterView) -> ClusterView:
    """``new``, which is accepted; a node that agrees, though it is behind, does not make older answers believed."""
    if current is None or new.topology != current.topology or new.is_of_another_cluster(current):
        return new
    return replace(new, epoch=max(new.epoch, current.epoch))


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: object) -> str:
    """A wrong value for an error: on one line, cut."""
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
