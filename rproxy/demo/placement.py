"""Which keys each shard should hold and which its nodes do hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ShardKeys:
    """The slots of a shard in words, the keys whose slots it owns, and the keys each of its nodes says it has."""

    slots: str
    owned: frozenset[str]
    held: Mapping[str, frozenset[str]]
    """Keys by node; the primary first, named as it is shown."""


def misplaced(shards: Sequence[ShardKeys]) -> str | None:
    """The first node that does not hold exactly the keys of its shard's slots, in words; ``None`` if all do."""
    for shard in shards:
        for node, keys in shard.held.items():
            if keys != shard.owned:
                return f"{node} of slots {shard.slots} holds {listed(keys)} and should hold {listed(shard.owned)}"
    return None


def listed(keys: frozenset[str]) -> str:
    """The keys in order, separated by spaces, or ``nothing``."""
    return " ".join(sorted(keys)) or "nothing"
