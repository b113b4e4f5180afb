"""One worker: one process, one loop, and in it everything that serves clients."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Sequence
from typing import Any

from rproxy.commands.catalog import Catalog
from rproxy.config.models import Config, ListenerConfig
from rproxy.dispatch.context import Context
from rproxy.dispatch.crew import Crew, Link
from rproxy.downstream.balance import Balance, Share
from rproxy.downstream.listener import Listener
from rproxy.metrics.process import process_samples
from rproxy.metrics.samples import Sample, lasting, merge, shortfall
from rproxy.routing.script_cache import ScriptCache
from rproxy.server.binding import Bound
from rproxy.server.hand_over import HandOver
from rproxy.server.heritage import Heritage
from rproxy.server.listeners import Listeners
from rproxy.server.observe import of_cluster, samples_of
from rproxy.server.upstreams import Upstreams, Use
from rproxy.topology.server_facts import ServerFacts
from rproxy.transport.allocation import give_back_large_buffers
from rproxy.transport.attach import make_turn, stop_turn
from rproxy.upstream.cluster import Cluster
from rproxy.upstream.learner import Learner

TICK = 0.05
"""Seconds between the janitor's rounds."""
TOPOLOGIES_WITHIN = 10.0
"""Seconds to learn the topologies before clients of another rproxy are taken over."""
COLLECT_AFTER = 50_000
"""Net allocations before the garbage collector looks for cycles."""


class Worker:
    """Serves the listeners of ``config`` from the listening ``sockets`` (by listener name)."""

    def __init__(self, config: Config, sockets: dict[str, socket.socket], *, worker_id: int = 0) -> None:
        self.config = config
        self.worker_id = worker_id
        self.catalog = Catalog()
        self.scripts = ScriptCache()
        self.servers: dict[str, ServerFacts] = {}
        self.departed: list[Sample] = []
        """What was counted by clusters and mirrors that are no more: a sum that fell would look like a restart."""
        self._learners: list[Learner] = []
        self._sockets = sockets
        self._balance: Balance | None = None
        self._link: Link | None = None
        self._inbox: socket.socket | None = None
        self._heritage: Heritage | None = None
        self._tick: asyncio.TimerHandle | None = None

    @property
    def clusters(self) -> dict[Use, Cluster]:
        """The clusters by their use."""
        return self._upstreams.in_use

    @property
    def retired(self) -> list[Cluster]:
        """The clusters that only finish what is under way."""
        return self._upstreams.retired

    @property
    def listeners(self) -> list[Listener]:
        """The listeners, those included that are no more but have clients yet."""
        return self._listeners.all

    @property
    def contexts(self) -> list[Context]:
        """What each listener of the configuration works with."""
        return [listener.dispatcher.context for listener in self._listeners.active]

    def share(self, share: Share) -> None:
        """Take part in spreading clients over the workers; before ``start``."""
        self._balance = Balance(share, self.worker_id)

    def inherit(self, inbox: socket.socket) -> None:
        """Go on with the clients that another rproxy hands over through ``inbox``; before ``start``."""
        self._inbox = inbox

    def join(self, link: Link) -> None:
        """Ask the other workers through ``link``; before ``start``."""
        self._link = link

    def answer(self, listener: str, question: str, argument: Any) -> Any:
        """What another worker wants to know of a listener."""
        crew = next(context.crew for context in self.contexts if context.crew.listener == listener)
        return crew.answer(question, argument)

    async def start(self) -> None:
        """Open the listeners, and begin to learn the topologies."""
        loop = asyncio.get_running_loop()
        self.turn = make_turn(loop)
        self._upstreams = Upstreams(self.turn)
        self._upstreams.set_up(self.config)
        self._listeners = Listeners(
            self.config, self._sockets, self.turn, self._make_context, self.worker_id, self._balance
        )
        self._listeners.make(self.clusters.__getitem__)
        await self._settle_learners()
        if self._balance is not None:
            self._balance.begin(loop, self._listeners.adopt)
        if self._inbox is not None:
            # Until this worker can serve, the other rproxy accepts the clients.
            await self._upstreams.await_topologies(TOPOLOGIES_WITHIN)
            self._heritage = Heritage(self._inbox, self._listeners.find)
        self._listeners.open()
        self._tick = loop.call_later(TICK, self._on_tick)
        # What was loaded lives as long as the process; what a command makes dies without the collector.
        give_back_large_buffers()
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER)

    def _make_context(self, settings: ListenerConfig, bound: Bound) -> Context:
        return Context(
            self.catalog,
            bound.table,
            bound.routes,
            scripts=self.scripts,
            servers=self.servers,
            samples=lambda: [*self.samples(), *process_samples()],
            crew=Crew(settings.name, self.worker_id, self.config.workers, self._link),
        )

    async def _settle_learners(self) -> None:
        """Learn the commands of each routed cluster once, however many ways it is used in."""
        routed = {cluster.name: cluster for context in self.contexts for cluster in context.clusters()}
        leaving = [learner for learner in self._learners if routed.get(learner.cluster.name) is not learner.cluster]
        self._learners = [learner for learner in self._learners if learner not in leaving]
        for name in routed.keys() - {learner.cluster.name for learner in self._learners}:
            learner = Learner(routed[name], self.catalog, servers=self.servers)
            self._learners.append(learner)
            learner.start()
        for learner in leaving:
            await learner.stop()

    async def reload(self, config: Config, sockets: dict[str, socket.socket]) -> None:
        """Go by ``config`` from now on, dropping nobody. ``sockets`` are those of listeners that need new ones.

        What takes time comes first: clients notice nothing until everything is there, and then all of it at once.
        """
        planned = await self._upstreams.prepare(config)
        before = merge([lasting(self.samples())])
        self.config = config
        for listener in self._listeners.active:
            listener.settle_clients()
        self._upstreams.adopt(planned, config)
        self._listeners.renew(config, sockets, self.clusters.__getitem__)
        self.departed = merge([self.departed, shortfall(merge([lasting(self.samples())]), before)])
        await self._settle_learners()

    def _on_tick(self) -> None:
        self._tick = self.turn.loop.call_later(TICK, self._on_tick)
        for cluster in self._upstreams.tick():
            self.departed = merge([self.departed, lasting(of_cluster(cluster, self.catalog))])
        self._listeners.tick(self.turn.now)

    async def drain(self, timeout: float, heirs: Sequence[socket.socket] = ()) -> bool:
        """Accept no more clients, finish what is in flight, then close everything; true if all of it was finished.

        With ``heirs``, clients are handed over to them, who accept new ones too.
        """
        began = self.turn.tick()
        if self._heritage is not None:
            self._heritage.close()
        if heirs:
            if self._balance is not None:
                self._balance.refuse()
            self._listeners.stop_accepting()
            await HandOver(self._listeners.all, heirs).run(timeout)
        if self._balance is not None:
            self._balance.end(self.turn.loop)
        is_finished = await self._listeners.drain(max(timeout - (self.turn.tick() - began), 0.0))
        await self._close()
        return is_finished

    async def _close(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
        self._listeners.close()
        for learner in self._learners:
            await learner.stop()
        await self._upstreams.stop()
        stop_turn(self.turn)

    def readiness(self) -> tuple[bool, str]:
        """Whether every routed cluster has a topology; else which has none."""
        routed = [cluster for context in self.contexts for cluster in context.clusters()]
        missing = sorted({cluster.name for cluster in routed if not cluster.topology.covered})
        return not missing, f"no topology yet: {', '.join(missing)}" if missing else "ready"

    def describe_clusters(self) -> list[dict[str, object]]:
        """The state of every cluster for operators."""
        return [cluster.describe() for cluster in self.clusters.values()]

    def samples(self) -> list[Sample]:
        """The metrics of this worker."""
        return samples_of(self)
