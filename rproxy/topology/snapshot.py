"""The topology of a cluster: an immutable snapshot with a flat slot to shard table, swapped whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

from rproxy.topology.slots import SLOT_COUNT

NO_SHARD = 0xFFFF
"""The entry of a slot that no shard serves; larger than any index into ``Topology.shards``."""

PORTS = range(1, 65536)


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """Host (a name or an address, IPv6 without brackets) and port of one Redis process."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read ``host:port`` or ``[IPv6]:port``. Raises ``ValueError`` with one line."""
        host, colon, port = text.rpartition(":")
        is_bracketed = host.startswith("[") and host.endswith("]")
        if is_bracketed:
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"'{text}': an IPv6 address needs brackets, as in [::1]:6379")
        if not colon or not host:
            raise ValueError(f"'{text}' is not host:port")
        if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) in PORTS):
            raise ValueError(f"'{text}': the port must be a number from 1 to 65535")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Shard:
    """A primary and its replicas."""

    primary: Endpoint
    replicas: tuple[Endpoint, ...] = ()

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The primary, then the replicas."""
        return (self.primary, *self.replicas)


@dataclass(frozen=True, slots=True)
class Topology:
    """Who serves which slot. ``slots[slot]`` is an index into ``shards``, or ``NO_SHARD``.

    Two snapshots are equal if they say the same, so a refresh can tell whether something changed; ``covered`` is the
    number of slots that a shard serves.
    """

    shards: tuple[Shard, ...]
    slots: tuple[int, ...]
    covered: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "covered", SLOT_COUNT - self.slots.count(NO_SHARD))

    @classmethod
    def empty(cls) -> Topology:
        """The topology before anything is known."""
        return cls((), (NO_SHARD,) * SLOT_COUNT)

    @classmethod
    def standalone(cls, endpoint: Endpoint) -> Topology:
        """One server without cluster mode: a single shard with every slot."""
        return cls((Shard(endpoint),), (0,) * SLOT_COUNT)

    def shard_of(self, slot: int) -> Shard | None:
        """The shard that serves ``slot``, if there is one."""
        index = self.slots[slot]
        return None if index == NO_SHARD else self.shards[index]

    def slots_lost_from(self, former: Topology) -> int:
        """How many slots had an owner in ``former`` and have none here."""
        if self.covered == SLOT_COUNT:
            return 0
        pairs = zip(self.slots, former.slots, strict=True)
        return sum(index == NO_SHARD and before != NO_SHARD for index, before in pairs)

    def first_slots(self) -> list[int]:
        """The lowest slot of every shard that serves any, in the order of the slots."""
        return sorted(self.slots.index(index) for index in set(self.slots) if index != NO_SHARD)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Every known endpoint once, in the order of the shards."""
        return tuple(dict.fromkeys(endpoint for shard in self.shards for endpoint in shard.endpoints()))

    def with_slot_moved(self, slot: int, endpoint: Endpoint) -> Topology:
        """A snapshot in which ``endpoint`` is the primary of ``slot`` (what a MOVED says); all other slots stay.

        Until the next refresh an endpoint that was no primary leads a shard of its own: with what it had in common with
        the others if it was a replica, alone if it was unknown.
        """
        left = self.slots[slot]
        shards = self.shards
        primaries = [shard.primary for shard in shards]
        if endpoint in primaries:
            index = primaries.index(endpoint)
            if index == left:
                return self
        else:
            # The place of a shard that loses its last slot is used again, so no storm of MOVEDs can grow the list.
            is_last = left != NO_SHARD and self.slots.count(left) == 1
            index = left if is_last else len(shards)
            shards = (*shards[:index], self._shard_led_by(endpoint), *shards[index + 1 :])
        return Topology(shards, (*self.slots[:slot], index, *self.slots[slot + 1 :]))

    def _shard_led_by(self, endpoint: Endpoint) -> Shard:
        """The shard of a replica that was promoted, or of an unknown endpoint."""
        for shard in self.shards:
            if endpoint in shard.replicas:
                # The old primary was demoted or is dead; reads find out, and keep a replica in the first case.
                return Shard(endpoint, tuple(sorted(set(shard.endpoints()) - {endpoint})))
        return Shard(endpoint)

    def describe(self) -> list[dict[str, object]]:
        """The shards for operators, JSON-able: ``slots`` as ranges like ``0-5460``, ``primary``, ``replicas``."""
        ranges: list[list[str]] = [[] for _ in self.shards]
        start = 0
        for index, run in groupby(self.slots):
            end = start + sum(1 for _ in run)
            if index != NO_SHARD:
                ranges[index].append(f"{start}-{end - 1}" if end - start > 1 else str(start))
            start = end
        return [
            {"slots": own, "primary": str(shard.primary), "replicas": [str(replica) for replica in shard.replicas]}
            for shard, own in zip(self.shards, ranges, strict=True)
        ]
