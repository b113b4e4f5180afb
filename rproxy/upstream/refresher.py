"""Keeps a cluster's topology fresh: asks its nodes on a period, and at once when something hints at a change.

When to ask is decided by ``topology.refresh``, what an answer is worth by ``topology.discovery``; here is the asking.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING

from rproxy.errors import TopologyError
from rproxy.topology.discovery import ClusterView, confirmed, last_resort, may_replace, view_of
from rproxy.topology.redirection import RedirectionKind
from rproxy.topology.refresh import RefreshSchedule
from rproxy.topology.snapshot import Endpoint, Topology
from rproxy.upstream.dial import DialError, ask, handshake

if TYPE_CHECKING:
    from rproxy.upstream.cluster import Cluster

QUESTIONS = ([b"CLUSTER", b"SLOTS"], [b"CLUSTER", b"INFO"])
ASK_ANOTHER_AFTER = 0.25
"""Seconds after which one more node is asked, while those before have not answered: one may hang, or be far away."""
NAMED_FOR = 10.0
"""Seconds for which the node that a MOVED named is asked first: others hear of a failover one after the other."""

Answer = tuple[Endpoint, asyncio.Task[ClusterView]]
"""What a node answers, or the ``DialError`` or ``TopologyError`` of the attempt."""

log = logging.getLogger("rproxy.topology")


class RefresherState(Enum):
    """What a refresher does, and what its last round came to."""

    STOPPED = "stopped"
    ASKING = "asking"
    CONFIRMED = "confirmed"
    """The topology in force is what a node answered; the next round is on a period, or when something hints at it."""
    RETRYING = "retrying"
    """No node gave an answer that can be used; the topology in force is an old one. The next round comes soon."""


MOVES: Mapping[RefresherState, frozenset[RefresherState]] = {
    RefresherState.STOPPED: frozenset({RefresherState.ASKING}),
    RefresherState.ASKING: frozenset({RefresherState.CONFIRMED, RefresherState.RETRYING, RefresherState.STOPPED}),
    RefresherState.CONFIRMED: frozenset({RefresherState.ASKING, RefresherState.STOPPED}),
    RefresherState.RETRYING: frozenset({RefresherState.ASKING, RefresherState.STOPPED}),
}


class Refresher:
    """One task per cluster. ``results`` counts refreshes by outcome: ``success``, ``failure``, ``refused``."""

    def __init__(self, cluster: Cluster, seeds: list[Endpoint], schedule: RefreshSchedule) -> None:
        self._cluster = cluster
        self._seeds = seeds
        self._schedule = schedule
        self._nudged = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.state = RefresherState.STOPPED
        self._view: ClusterView | None = None
        self._has_new_seeds = False
        self._last_trouble = ""
        self._named: Endpoint | None = None
        self._named_until = 0.0
        self.on_topology: Callable[[], None] | None = None
        """Told of every topology that differs from the last."""
        self.refreshed_at: float | None = None
        self.results: Counter[str] = Counter()

    def start(self) -> None:
        """Begin to ask; the first time at once."""
        self._task = self._cluster.turn.loop.create_task(self._run())

    def _set_state(self, state: RefresherState) -> None:
        """Be in ``state``, which ``MOVES`` leads to."""
        self.state = state

    def cancel(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
        self._set_state(RefresherState.STOPPED)

    async def stop(self) -> None:
        """Ask no more, and wait until that is so."""
        self.cancel()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def follow(self, seeds: list[Endpoint], schedule: RefreshSchedule) -> None:
        """Go by another schedule and other seeds from now on. Seeds that are new say which cluster it is: no node of
        the old topology, which stays in force until one of them has answered, is asked before.
        """
        self.cancel()
        if seeds != self._seeds:
            self._view = None
            self._has_new_seeds = True
        self._seeds = seeds
        self._schedule = schedule
        self.start()

    def on_redirection(self, kind: RedirectionKind) -> None:
        """A node redirected a request."""
        self._schedule.on_redirect(self._now(), kind)
        self._nudged.set()

    def on_moved(self, endpoint: Endpoint) -> None:
        """A node said that ``endpoint`` has a slot: that one knows whether it does."""
        self._named = endpoint
        self._named_until = self._now() + NAMED_FOR

    def on_failure(self) -> None:
        """A connection failed, or has overdue requests."""
        self._schedule.on_failure(self._now())
        self._nudged.set()

    def on_degraded(self) -> None:
        """An endpoint has become slow."""
        self._schedule.on_degraded(self._now())
        self._nudged.set()

    def age(self) -> float | None:
        """Seconds since the topology was last confirmed, ``None`` before the first time."""
        return None if self.refreshed_at is None else self._now() - self.refreshed_at

    def _now(self) -> float:
        return self._cluster.turn.tick()

    async def _run(self) -> None:
        while True:
            await self.refresh()
            self._nudged.clear()
            while (wait := self._schedule.next_refresh_at(self._now(), self._cluster.draw()) - self._now()) > 0:
                try:
                    async with asyncio.timeout(wait):
                        await self._nudged.wait()
                except TimeoutError:
                    break
                self._nudged.clear()

    async def refresh(self) -> None:
        """Ask nodes until an answer can be used. A bad answer leaves the old topology in force."""
        async with contextlib.aclosing(self._answers()) as answers:
            await self._choose(answers)

    async def _answers(self) -> AsyncGenerator[Answer, None]:
        """Ask one node after the other; what they answer, as it comes."""
        candidates = self._candidates()
        asked: dict[asyncio.Task[ClusterView], Endpoint] = {}
        try:
            while candidates or asked:
                if candidates:
                    endpoint = candidates.pop(0)
                    asked[asyncio.create_task(self._ask(endpoint))] = endpoint
                limit = ASK_ANOTHER_AFTER if candidates else None
                done, _ = await asyncio.wait(asked, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
                for answer in done:
                    yield asked.pop(answer), answer
        finally:
            for answer in asked:
                answer.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _choose(self, answers: AsyncIterator[Answer]) -> None:
        """Take the first answer that can be used, or at last the best of those that are in doubt."""
        self._set_state(RefresherState.ASKING)
        started_at = self._now()
        troubles: list[str] = []
        doubted: list[ClusterView] = []
        async for endpoint, answer in answers:
            try:
                view = answer.result()
            except (DialError, TopologyError) as error:
                troubles.append(f"{endpoint}: {error}")
                continue
            refusal = may_replace(self._view, view)
            if refusal is None:
                self._accept(view, started_at)
                return
            self.results["refused"] += 1
            troubles.append(f"{endpoint}: {refusal}")
            if endpoint in self._seeds or not view.is_of_another_cluster(self._view):  # seeds say which cluster it is
                doubted.append(view)
        best = last_resort(self._view, doubted)
        if best is not None:
            self._accept(best, started_at)
            return
        self._set_state(RefresherState.RETRYING)
        self.results["failure"] += 1
        self._schedule.on_refresh_failed(self._now())
        self._tell(f"cluster {self._cluster.name}: no usable topology: {'; '.join(troubles[:3])}")

    def _candidates(self) -> list[Endpoint]:
        """Whom to ask, the healthiest first; the seeds last, as names that are resolved anew."""
        named = self._named if self._now() < self._named_until else None
        known = self._cluster.known_endpoints(named) if not self._has_new_seeds else []
        return list(dict.fromkeys([*known[:4], *self._seeds]))

    async def _ask(self, endpoint: Endpoint) -> ClusterView:
        settings = self._cluster.settings
        limit = settings.cluster_refresh_timeout
        try:
            async with asyncio.timeout(limit):
                commands = handshake(settings, endpoint)
                connect_timeout = min(settings.connect_timeout, limit)
                slots, info = await ask(endpoint, commands, QUESTIONS, connect_timeout, limit, self._cluster.tls)
        except TimeoutError:
            raise DialError(f"no answer within {limit:g} s") from None
        return view_of(slots, info, endpoint)

    def _accept(self, view: ClusterView, started_at: float) -> None:
        self._set_state(RefresherState.CONFIRMED)
        self._view = confirmed(self._view, view)
        self._has_new_seeds = False
        self.refreshed_at = self._now()
        self.results["success"] += 1
        self._schedule.on_refreshed(self.refreshed_at, started_at)
        self._tell("")
        if view.topology != self._cluster.topology:
            log.info("cluster %s: %s", self._cluster.name, _summary(view.topology))
            self._cluster.swap(view.topology)
            self._cluster.try_again()
            if self.on_topology is not None:
                self.on_topology()

    def _tell(self, trouble: str) -> None:
        """Log a trouble once, and its end."""
        if trouble and trouble != self._last_trouble:
            log.warning("%s", trouble)
        self._last_trouble = trouble


def _summary(topology: Topology) -> str:
    replicas = sum(len(shard.replicas) for shard in topology.shards)
    return f"{len(topology.shards)} shards, {replicas} replicas, {topology.covered} slots"
