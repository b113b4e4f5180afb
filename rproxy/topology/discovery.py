"""Reading a node's answers about its cluster, and judging whether they may replace what is known.

The forms are those of CLUSTER SLOTS and CLUSTER INFO (https://redis.io/docs/latest/commands/cluster-slots/ and
``cluster-info/``), as hiredis gives them: lists, dictionaries, integers, bytes, ``None``, and errors as exceptions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

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
    """

    topology: Topology
    epoch: int = 0
    is_serving: bool = True


@dataclass(frozen=True, slots=True)
class _SlotRange:
    start: int
    end: int
    primary: Endpoint
    replicas: tuple[Endpoint, ...]


def view_of(slots: object, info: object, asked: Endpoint) -> ClusterView:
    """What node ``asked`` says, from its replies to CLUSTER SLOTS and CLUSTER INFO. Raises ``TopologyError``."""
    topology = topology_from_slots(slots, asked)
    if isinstance(info, Exception):
        # A user that may ask for CLUSTER SLOTS alone: a topology without an epoch is better than none.
        return ClusterView(topology)
    epoch, is_serving = _epoch_and_state(info)
    return ClusterView(topology, epoch, is_serving)


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
    ranges = sorted((_slot_range(entry, asked) for entry in reply), key=lambda slot_range: slot_range.start)
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


def _slot_range(entry: object, asked: Endpoint) -> _SlotRange:
    """``[start, end, primary, replica, …]``."""
    if not isinstance(entry, list) or len(entry) < 3:
        raise TopologyError(f"CLUSTER SLOTS has an entry that is no range with a node: {_shown(entry)}")
    start, end = entry[:2]
    if not (_is_int(start) and _is_int(end) and 0 <= start <= end < SLOT_COUNT):
        raise TopologyError(f"CLUSTER SLOTS has no valid range of slots: {_shown(entry[:2])}")
    primary, *replicas = (_node(node, asked) for node in entry[2:])
    return _SlotRange(start, end, primary, tuple(replicas))


def _node(node: object, asked: Endpoint) -> Endpoint:
    """``[preferred endpoint, port, id, metadata]``; the last two came with Redis 4.0 and 7.0."""
    if not isinstance(node, list) or len(node) < 2:
        raise TopologyError(f"CLUSTER SLOTS has a node without an address: {_shown(node)}")
    host, port = node[:2]
    endpoint = None
    if _is_int(port) and (host is None or isinstance(host, bytes)):
        if host == b"?":
            # The node prefers hostnames and knows none for this one; its address stands in the metadata.
            host = _ip_of(node[3]) if len(node) > 3 else host
        endpoint = announced_endpoint(host, port, asked)
    if endpoint is None:
        raise TopologyError(f"CLUSTER SLOTS has a node with a wrong address: {_shown(node[:2])}")
    return endpoint


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
    if not new.is_serving:
        return "the node sees the cluster as failed"
    if new.epoch < current.epoch:
        return f"the node is behind: epoch {new.epoch}, where {current.epoch} is known"
    lost = new.topology.slots_lost_from(current.topology)
    return f"the node knows no owner of {lost} slots that were served" if lost else None


def last_resort(current: ClusterView | None, doubted: Sequence[ClusterView]) -> ClusterView | None:
    """The best of the views that ``may_replace`` refused, when nobody else can be asked; ``None`` to keep ``current``.

    A cluster that serves with lower epochs was built anew. One that is failed on every node is taken as it stands. A
    node that is both failed and behind is the cut-off one, and is never believed.
    """
    known = current.epoch if current is not None else 0
    usable = [view for view in doubted if view.is_serving or view.epoch >= known]
    return max(usable, key=lambda view: (view.is_serving, view.epoch, view.topology.covered), default=None)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: object) -> str:
    """A wrong value for an error: on one line, cut."""
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
