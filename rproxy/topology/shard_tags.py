"""A number for every shard that outlives changes of the topology, so that a SCAN finds its way through them.

Slots move from shard to shard and primaries change. A shard's *tag* follows from the address of the primary it was
first seen with, and stays with it when a replica takes over; its *check* follows from the present primary. Both come
out the same in every worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import NamedTuple

from rproxy.topology.snapshot import Endpoint, Topology

TAG_BITS = 14
CHECK_BITS = 8
Tags = Mapping[Endpoint, int]
"""The tags of the shards that an endpoint was seen in, its own if it is their primary."""


class Mark(NamedTuple):
    """Where a walk over all shards stands: the shard's tag, and the check of the node that was asked."""

    tag: int
    check: int


def tags_after(before: Tags, topology: Topology) -> dict[Endpoint, int]:
    """The tags in ``topology``: a shard that one of its endpoints was seen in before keeps its tag."""
    tags: dict[Endpoint, int] = {}
    of_primaries: dict[Endpoint, int] = {}
    for shard in topology.shards:
        inherited = (before[endpoint] for endpoint in shard.endpoints() if endpoint in before)
        tag = next(inherited, None) or _digest(shard.primary, TAG_BITS)
        of_primaries[shard.primary] = tag
        tags.update(dict.fromkeys(shard.replicas, tag))
    return tags | of_primaries


def marks_of(tags: Tags, primaries: Iterable[Endpoint]) -> dict[Mark, Endpoint]:
    """The primary of the shard that each mark stands for."""
    marks: dict[Mark, Endpoint] = {}
    for primary in sorted(primaries):
        mark = Mark(tags[primary], _digest(primary, CHECK_BITS))
        while mark in marks:
            mark = Mark(mark.tag, mark.check % ((1 << CHECK_BITS) - 1) + 1)
        marks[mark] = primary
    return marks


def _digest(endpoint: Endpoint, bits: int) -> int:
    """A number of ``bits`` bits, never 0."""
    digest = sha256(f"{bits} {endpoint}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % ((1 << bits) - 1) + 1
