"""Where the messages of a topic come from: decided by the topology, and by which endpoints fail.

What is published to a channel reaches every node, so one node, the *carrier*, is listened to for channels and
patterns. Sharded channels come from the primary of their slot, keyspace notifications from every primary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set

from rproxy.topology.notifications import is_notification, may_match_notifications
from rproxy.topology.slots import hash_slot
from rproxy.topology.snapshot import Endpoint, Topology
from rproxy.upstream.failure import NO_TOPOLOGY, UNSERVED_SLOT, Failure
from rproxy.upstream.subscription import Kind, Topic


class Sources:
    """``carrier`` is ``None`` before anything is known; ``home_slot`` is a slot of its shard, -1 without one."""

    __slots__ = ("_primaries", "_topology", "carrier", "home_slot")

    def __init__(self) -> None:
        self.carrier: Endpoint | None = None
        self.home_slot = -1
        self._topology = Topology.empty()
        self._primaries: frozenset[Endpoint] = frozenset()

    def settle(self, topology: Topology, failing: Set[Endpoint], draw: Callable[[], float]) -> None:
        """Go by ``topology``; the carrier stays, even as a replica, as long as it does not fail."""
        self.learn(topology)
        if self.carrier is None or self.carrier not in topology.endpoints() or self.carrier in failing:
            self.carrier = self._choose_carrier(failing, draw)
        slots = topology.first_slots()
        self.home_slot = next((slot for slot in slots if self._is_in_shard_of(slot)), -1)

    def learn(self, topology: Topology) -> None:
        """Go by ``topology``, with the carrier as it is."""
        self._topology = topology
        self._primaries = frozenset(shard.primary for shard in topology.shards)

    def _choose_carrier(self, failing: Set[Endpoint], draw: Callable[[], float]) -> Endpoint | None:
        """A primary that is not known to fail, if there is one; else any other than now."""
        candidates = [shard.primary for shard in self._topology.shards]
        well = [endpoint for endpoint in candidates if endpoint not in failing]
        choice = well or [endpoint for endpoint in candidates if endpoint != self.carrier] or candidates
        return choice[int(draw() * len(choice))] if choice else None

    def _is_in_shard_of(self, slot: int) -> bool:
        shard = self._topology.shard_of(slot)
        return shard is not None and self.carrier in shard.endpoints()

    def obstacle(self, topic: Topic) -> Failure | None:
        """Why ``topic`` can come from nowhere."""
        if not self._topology.covered:
            return NO_TOPOLOGY
        if topic.kind is Kind.SHARD and self._topology.shard_of(hash_slot(topic.name)) is None:
            return UNSERVED_SLOT
        return None

    def of(self, topic: Topic) -> Iterable[Endpoint]:
        """The endpoints that ``topic`` has to come from."""
        if topic.kind is Kind.SHARD:
            shard = self._topology.shard_of(hash_slot(topic.name))
            return [shard.primary] if shard is not None else []
        carrier = [self.carrier] if self.carrier is not None else []
        if topic.kind is Kind.CHANNEL:
            return self._primaries if is_notification(topic.name) else carrier
        return {*carrier, *self._primaries} if may_match_notifications(topic.name) else carrier

    def has_told(self, endpoint: Endpoint, channel: bytes, *, is_leaving: bool = False) -> bool:
        """Whether a message of ``channel`` counts that came from ``endpoint``: those to all nodes count just once.

        One that is leaving is a carrier whose successor has not confirmed yet, and so says nothing.
        """
        if is_notification(channel):
            return endpoint in self._primaries
        return is_leaving or endpoint == self.carrier
