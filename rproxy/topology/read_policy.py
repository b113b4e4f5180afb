"""Read policies: which endpoints of a shard a command may go to, and in what order of preference."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from rproxy.topology.snapshot import Endpoint, Shard

Tier = tuple[Endpoint, ...]
"""Endpoints of equal preference."""


class ReadPolicy(Enum):
    """Where reads go. Envoy's ``ReadPolicy`` of the redis_proxy filter, with today's word for its MASTER."""

    PRIMARY = "primary"
    PREFER_PRIMARY = "prefer_primary"
    REPLICA = "replica"
    PREFER_REPLICA = "prefer_replica"
    ANY = "any"

    @classmethod
    def parse(cls, text: str) -> ReadPolicy:
        """The policy of this name, or of Envoy's (``MASTER``, ``PREFER_MASTER``), in any case.

        Raises ``ValueError`` with one line.
        """
        name = text.strip().lower().replace("master", "primary")
        try:
            return cls(name)
        except ValueError:
            names = ", ".join(policy.value for policy in cls)
            raise ValueError(f"unknown read policy '{text}': it must be one of {names}") from None


def _primary(shard: Shard) -> Tier:
    return (shard.primary,)


def _replicas(shard: Shard) -> Tier:
    return shard.replicas


def _all(shard: Shard) -> Tier:
    return shard.endpoints()


_READ_TIERS: dict[ReadPolicy, tuple[Callable[[Shard], Tier], ...]] = {
    ReadPolicy.PRIMARY: (_primary,),
    ReadPolicy.PREFER_PRIMARY: (_primary, _replicas),
    ReadPolicy.REPLICA: (_replicas,),
    ReadPolicy.PREFER_REPLICA: (_replicas, _primary),
    ReadPolicy.ANY: (_all,),
}


def candidates(policy: ReadPolicy, shard: Shard, is_read: bool) -> tuple[Tier, ...]:
    """The tiers of ``shard``, best first, none of them empty. A write has the primary alone, under every policy.

    ``REPLICA`` leaves a read no endpoint in a shard without replicas: the policy forbids the primary.
    """
    if not is_read:
        return (_primary(shard),)
    return tuple(tier for choose in _READ_TIERS[policy] if (tier := choose(shard)))
