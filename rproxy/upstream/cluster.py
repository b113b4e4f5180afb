"""A named upstream: its topology, the pools of its endpoints, and requests that do not go straight through."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from rproxy.commands.spec import CommandSpec
from rproxy.config.certificates import Certificates
from rproxy.metrics.counters import CommandStats
from rproxy.topology.read_policy import ReadPolicy, candidates
from rproxy.topology.shard_tags import Tags, tags_after
from rproxy.topology.slots import SLOT_COUNT
from rproxy.topology.snapshot import Endpoint, Shard, Topology
from rproxy.transport.connection import Traffic, Turn
from rproxy.upstream import following
from rproxy.upstream.connection import UpstreamConnection
from rproxy.upstream.failure import NO_TOPOLOGY, QUEUE_FULL, UNREACHABLE, UNSERVED_SLOT, Failure
from rproxy.upstream.health import Health
from rproxy.upstream.overdue import look_after
from rproxy.upstream.parking import TRAIL_MOST, Parking
from rproxy.upstream.pool import Pool
from rproxy.upstream.pools import Pools
from rproxy.upstream.request import LOST_ONCE, Request
from rproxy.upstream.shard_pools import ShardPools
from rproxy.upstream.sink import MIRRORED
from rproxy.upstream.slow_log import SlowLog
from rproxy.upstream.subscriptions import Subscriptions

if TYPE_CHECKING:
    from rproxy.config.models import ClusterConfig
    from rproxy.upstream.refresher import Refresher


def _packed(slots: Sequence[int]) -> memoryview:
    """The slot table in as few cache lines as may be: every command looks up a random one of its entries."""
    return memoryview(array("H", slots))


class Cluster:
    """Requests come in by slot; ``connection_for`` answers on the fast path, ``submit`` for all the rest."""

    __slots__ = (
        "_owners_awaited_until",
        "_shard_at",
        "_shard_slots",
        "_shards",
        "_stats",
        "draw",
        "failures",
        "follows_redirections",
        "has_parked",
        "health",
        "is_single",
        "name",
        "op_timeout",
        "parking",
        "pools",
        "rate_limited",
        "read_policy",
        "redirections",
        "refresher",
        "retries",
        "settings",
        "slow_log",
        "subscriptions",
        "tags",
        "tls",
        "topology",
        "traffic",
        "turn",
    )

    def __init__(
        self,
        settings: ClusterConfig,
        read_policy: ReadPolicy,
        turn: Turn,
        *,
        op_timeout: float,
        follows_redirections: bool,
        draw: Callable[[], float],
        slow_log: SlowLog | None = None,
    ) -> None:
        self.settings = settings
        self.name = settings.name
        self.read_policy = read_policy
        self.turn = turn
        self.traffic = Traffic()
        self.op_timeout = op_timeout
        self.follows_redirections = follows_redirections
        self.topology = Topology.empty()
        self.refresher: Refresher | None = None
        self.draw = draw
        self.tls = Certificates(settings.tls, f"cluster {settings.name}") if settings.tls is not None else None
        self.slow_log = slow_log or SlowLog()
        self.redirections: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.retries = 0
        self.rate_limited = 0
        """Connections that had to wait before they were opened (``upstream.rate_limit``)."""
        self.health = Health(self)
        self.parking = Parking(settings.max_parked)
        self.has_parked = False
        self.is_single = False
        self._owners_awaited_until = 0.0
        self._shards: list[ShardPools] = []
        self._shard_at = _packed(self.topology.slots)
        self._shard_slots: list[int] = []
        self.tags: Tags = {}
        self.pools = Pools(self)
        self._stats: list[CommandStats | None] = []
        self.subscriptions = Subscriptions(self)

    # -- the fast path

    def connection_for(self, slot: int, is_read: bool, affinity: int) -> UpstreamConnection | None:
        """The connection that a request of ``slot`` can be sent on now; ``None`` if it has to be submitted."""
        if self.has_parked and self.parking.holds(slot):
            return None
        index = self._shard_at[slot]
        if index >= len(self._shards):
            return None
        shard = self._shards[index]
        pool: Pool | None = shard.writer
        if is_read:
            pool = shard.reader
            if pool is None:
                pool = shard.choose_reader()
        return pool.pick(affinity) if pool is not None else None

    def stats_of(self, spec: CommandSpec) -> CommandStats:
        """The counters of a command on this cluster."""
        index = spec.index
        if index < len(self._stats):
            stats = self._stats[index]
            if stats is not None:
                return stats
        self._stats += [None] * (index + 1 - len(self._stats))
        self._stats[index] = stats = CommandStats()
        return stats

    def counted(self) -> list[tuple[int, CommandStats]]:
        """The commands seen so far: ``(spec index, counters)``."""
        return [(index, stats) for index, stats in enumerate(self._stats) if stats is not None]

    # -- the rest

    def submit(self, request: Request) -> None:
        """Send ``request`` if its endpoint takes it, else let it wait inside its deadline, else answer the error."""
        slot = request.slot if request.slot >= 0 else self.any_slot()
        if slot < 0 or not self.topology.covered:
            self.answer_failure(request, NO_TOPOLOGY)
        elif self._shard_at[slot] >= len(self._shards):
            self._submit_unserved(request)
        else:
            connection = self.connection_for(slot, request.is_read, request.affinity)
            if connection is None:
                self.park(request, 0.0)
            else:
                connection.resend(request)

    def _submit_unserved(self, request: Request) -> None:
        """Look for an owner of the slot; let ``request`` wait for it if one is to be expected, else say so at once."""
        self.on_failure()
        if self.awaits_owners():
            self.park(request, 0.0)
        else:
            self.answer_failure(request, UNSERVED_SLOT)

    def awaits_owners(self) -> bool:
        """Whether slots have lost their owner just now, as for a moment in a failover, and not for good.

        They are given the time that a request may take; after that their requests fail at once, as in Redis.
        """
        return self.turn.tick() < self._owners_awaited_until

    def any_slot(self) -> int:
        """A slot of a random shard, -1 where none is served: for commands without keys."""
        slots = self.shard_slots()
        return slots[int(self.draw() * len(slots))] if slots else -1

    def shard_slots(self) -> list[int]:
        """One slot of every shard that serves any, in the order of the slots."""
        return self._shard_slots

    def is_down(self, slot: int) -> bool:
        """Whether the primary of ``slot`` could not be reached when it was tried last."""
        index = self.topology.slots[slot]
        return index >= len(self._shards) or self._shards[index].writer.is_down()

    def known_endpoints(self, named: Endpoint | None = None) -> list[Endpoint]:
        """The topology's endpoints, and the one that was ``named``, those first that are up and answer: before all that
        one, and replicas of a primary that does not answer, since who takes its place is the first to know.
        """
        pools = self.pools.in_force()
        down = {pool.endpoint for pool in pools if pool.is_down() or pool.is_unhealthy or pool.is_silent()}
        heirs = {replica for shard in self.topology.shards if shard.primary in down for replica in shard.replicas}
        endpoints = dict.fromkeys([*([named] if named is not None else []), *self.topology.endpoints()])
        return sorted(endpoints, key=lambda endpoint: (endpoint in down, endpoint != named, endpoint not in heirs))

    def replica_connections(self, affinity: int) -> list[UpstreamConnection]:
        """A connection to every replica, as far as it is up and healthy: for commands that act on nodes."""
        replicas = [replica for shard in self.topology.shards for replica in shard.replicas]
        pools = [self.pools.get(replica, is_readonly=True) for replica in replicas]
        up = [pool for pool in pools if not (pool.is_down() or pool.is_unhealthy)]
        return [connection for pool in up if (connection := pool.pick(affinity)) is not None]

    def swap(self, topology: Topology) -> None:
        """Serve from ``topology`` now: pools that stay are kept, new ones made, others retired."""
        if topology == self.topology:
            return
        if topology.slots_lost_from(self.topology):
            self._owners_awaited_until = self.turn.tick() + self.op_timeout
        self.topology = topology
        self.health.on_swap()
        before = self.pools.in_force()
        self._lay_out()
        self._shard_at = _packed(topology.slots)
        self._shard_slots = topology.first_slots()
        self.tags = tags_after(self.tags, topology)
        self.is_single = len(topology.shards) == 1 and topology.covered == SLOT_COUNT
        self.subscriptions.on_swap()
        self._trail_moved(before)
        self.leave_parking()

    def _lay_out(self) -> None:
        """Give every shard its pools, and retire those that none has."""
        self._shards = [self._shard_pools(shard) for shard in self.topology.shards]
        self.pools.keep(pool for shard in self._shards for pool in shard.pools())

    def _trail_moved(self, pools: Iterable[Pool]) -> None:
        """Let requests of a slot that has another primary now wait for those in flight at its former one.

        It may redirect them, and they would then come behind what the same client sent later. One that is not in the
        topology any more has failed, and is not waited for.
        """
        endpoints = set(self.topology.endpoints())
        until = self.turn.tick() + TRAIL_MOST
        for pool in pools:
            if pool.is_readonly or pool.endpoint not in endpoints:
                continue
            for connection in pool.connections():
                for slot in connection.in_flight.slots():
                    if slot >= 0 and self.pool_of(slot, is_read=False) is not pool:
                        self.parking.trail(slot, connection.in_flight, until)
                        self.has_parked = True

    def reconfigure(
        self, settings: ClusterConfig, read_policy: ReadPolicy, *, op_timeout: float, follows_redirections: bool
    ) -> None:
        """Go by other settings from now on, with pools made anew; the old ones answer what is in flight, then close."""
        self.settings = settings
        self.read_policy = read_policy
        self.op_timeout = op_timeout
        self.follows_redirections = follows_redirections
        self.tls = Certificates(settings.tls, f"cluster {settings.name}") if settings.tls is not None else None
        self.parking.most = settings.max_parked
        self.health.on_reconfigured()
        self.pools.keep(())
        self._lay_out()
        self.leave_parking()

    def is_idle(self) -> bool:
        """Whether nobody waits for anything of it, or listens to it."""
        in_use, _ = self.pools.pinned()
        return not (self.pools.in_flight() or len(self.parking) or in_use or len(self.subscriptions.topics))

    def _shard_pools(self, shard: Shard) -> ShardPools:
        def pool(endpoint: Endpoint) -> Pool:
            return self.pools.get(endpoint, endpoint != shard.primary)

        tiers = candidates(self.read_policy, shard, is_read=True)
        return ShardPools(shard, pool(shard.primary), tuple(tuple(map(pool, tier)) for tier in tiers))

    def follow(self, request: Request, line: bytes, asked: UpstreamConnection) -> bool:
        """Follow the error ``line`` that came on ``asked`` if it is a redirection; false if it is the client's."""
        return following.follow(self, request, line, asked)

    def move_slot(self, slot: int, endpoint: Endpoint) -> None:
        """Correct one slot; an endpoint that was no primary before is a reason to ask for the whole topology."""
        is_known = any(shard.primary == endpoint for shard in self.topology.shards)
        self.swap(self.topology.with_slot_moved(slot, endpoint))
        if self.refresher is not None:
            self.refresher.on_moved(endpoint)
        if not is_known:
            self.on_failure()

    def pool_of(self, slot: int, is_read: bool) -> Pool | None:
        """Where a request of ``slot`` goes; ``None`` while nothing serves it."""
        index = self._shard_at[slot]
        if index >= len(self._shards):
            return None
        shard = self._shards[index]
        return (shard.reader or shard.choose_reader()) if is_read else shard.writer

    def on_request_lost(
        self, request: Request, failure: Failure, reason: str, endpoint: Endpoint, was_written: bool
    ) -> None:
        """A connection failed with ``request`` in flight: let it wait for a better endpoint, or answer the error."""
        was_lost_before = was_written and request.hops & LOST_ONCE
        if failure.may_retry(was_written, request.is_read) and not was_lost_before:
            if was_written:
                request.hops |= LOST_ONCE
            self.retries += 1
            self.park(request, 0.0)
        else:
            self.answer_failure(request, failure, str(endpoint), reason)

    def answer_failure(self, request: Request, failure: Failure, place: str = "", reason: str = "") -> None:
        """Answer ``request`` with the error of ``failure``, and count it."""
        line = self.counted_line(failure, place or self.name, reason)
        if request.sink is not MIRRORED:
            request.fail(line)

    def counted_line(self, failure: Failure, place: str, reason: str = "") -> bytes:
        """The error line of ``failure`` for a client, which is counted."""
        self.failures[failure.label] += 1
        return failure.line(place, reason)

    def park(self, request: Request, delay: float) -> None:
        """Let ``request`` wait, ``delay`` seconds at least, or answer that too many do."""
        if request.sink is MIRRORED:
            self.failures[QUEUE_FULL.label] += 1
            return
        request.not_before = self.turn.tick() + delay
        if self.parking.add(request):
            self.has_parked = True
        else:
            self.answer_failure(request, QUEUE_FULL)

    def leave_parking(self) -> None:
        """Send those that waited long enough, in order; answer the overtaken, and those whose deadline has passed."""
        now = self.turn.tick()
        due, over = self.parking.leave(now, now - self.op_timeout)
        self.has_parked = self.parking.is_needed
        for request in over:
            if request.answer is not None:
                request.fail(request.answer)
            else:
                self.answer_failure(request, UNREACHABLE, reason=self.trouble(request.slot, request.is_read))
        for request in due:
            self.submit(request)

    def try_again(self) -> None:
        """Let all that wait try at once, be it their time or not: something has changed."""
        if self.has_parked:
            self.parking.hurry()
            self.leave_parking()

    def trouble(self, slot: int, is_read: bool) -> str:
        """Why requests of ``slot`` are not taken, as far as it is known, in a few words."""
        if slot >= 0 and self.pool_of(slot, is_read) is None:
            return f"read_policy {self.read_policy.value} and no replica" if is_read else "nothing serves the slot"
        troubles = [f"{pool.endpoint}: {pool.failure}" for pool in self.pools.in_force() if pool.failure]
        return "; ".join(troubles[:3]) or "every connection is full"

    def on_endpoint_up(self, pool: Pool) -> None:
        """A connection has opened."""
        if self.has_parked:
            self.leave_parking()

    def on_failure(self) -> None:
        """Something failed as it does when the topology has changed: it is asked for."""
        if self.refresher is not None:
            self.refresher.on_failure()

    def tick(self) -> None:
        """The janitor's round: time out what is overdue, let the parked try again, close what is retired."""
        now = self.turn.tick()
        if self.tls is not None:
            self.tls.tick(now)
        self.health.tick(now)
        for pool in self.pools.every():
            look_after(pool, now)
        if self.has_parked:
            self.on_failure()
            self.leave_parking()
        self.pools.close_retired()
        self.subscriptions.tick(now)

    def close(self) -> None:
        """Close every connection; what is in flight is answered with an error."""
        self.subscriptions.close()
        self.health.close()
        self.pools.close()
        for request in self.parking.clear():
            self.answer_failure(request, UNREACHABLE, reason="rproxy is stopping")

    def describe(self) -> dict[str, object]:
        """The state of the cluster for operators: JSON-able."""
        return {
            "name": self.name,
            "read_policy": self.read_policy.value,
            "covered_slots": self.topology.covered,
            "refresher": self.refresher.state.value if self.refresher is not None else "none",
            "shards": self.topology.describe(),
            "endpoints": [pool.describe() for pool in self.pools.in_force()],
            "health": self.health.describe(),
            "parked": len(self.parking),
            "subscriptions": self.subscriptions.describe(),
        }
