"""One worker: one process, one loop, and in it everything that serves clients."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import socket
from collections.abc import Callable
from typing import Any

from rproxy.commands.catalog import Catalog
from rproxy.config.access import users_of
from rproxy.config.models import Config, ListenerConfig
from rproxy.config.routes import RouteConfig
from rproxy.dispatch.context import Context
from rproxy.dispatch.crew import Crew, Link
from rproxy.dispatch.dispatcher import Dispatcher
from rproxy.dispatch.mirror import Mirror
from rproxy.dispatch.route import BoundRoute
from rproxy.downstream.balance import Balance, Share
from rproxy.downstream.listener import Listener
from rproxy.metrics.process import process_samples
from rproxy.metrics.samples import Sample
from rproxy.routing.routes import MirrorRule, Route, RouteTable
from rproxy.routing.script_cache import ScriptCache
from rproxy.server.observe import samples_of
from rproxy.server.parameters import parameters_of
from rproxy.topology.read_policy import ReadPolicy
from rproxy.topology.refresh import RefreshPolicy, RefreshSchedule
from rproxy.topology.server_facts import ServerFacts
from rproxy.topology.snapshot import Endpoint, Topology
from rproxy.transport.attach import make_turn, stop_turn
from rproxy.upstream.cluster import Cluster
from rproxy.upstream.learner import Learner
from rproxy.upstream.refresher import Refresher
from rproxy.upstream.slow_log import SlowLog, slower_than

TICK = 0.05
"""Seconds between the janitor's rounds."""
COLLECT_AFTER = 50_000
"""Net allocations before the garbage collector looks for cycles."""


class Worker:
    """Serves the listeners of ``config`` from the listening ``sockets`` (by listener name)."""

    def __init__(self, config: Config, sockets: dict[str, socket.socket], *, worker_id: int = 0) -> None:
        self.config = config
        self.worker_id = worker_id
        self.clusters: dict[tuple[str, ReadPolicy, float, bool, float], Cluster] = {}
        self.listeners: list[Listener] = []
        self.contexts: list[Context] = []
        self.catalog = Catalog()
        self.scripts = ScriptCache()
        self.servers: dict[str, ServerFacts] = {}
        self._learners: list[Learner] = []
        self._sockets = sockets
        self._balance: Balance | None = None
        self._link: Link | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._client_ids = itertools.count(1 + worker_id, max(config.workers, 1))

    def share(self, share: Share) -> None:
        """Take part in spreading clients over the workers; before ``start``."""
        self._balance = Balance(share, self.worker_id)

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
        for settings in self.config.listeners:
            context = self._context(settings)
            next_id: Callable[[], int] = self._client_ids.__next__
            sock = self._sockets[settings.name]
            listener = Listener(settings, sock, Dispatcher(context), self.turn, next_id, self._balance)
            context.parameters.update(parameters_of(listener, max(self.config.workers, 1)))
            self.contexts.append(context)
            self.listeners.append(listener)
        for cluster in self.clusters.values():
            self._begin_discovery(cluster)
        self._begin_learning()
        if self._balance is not None:
            self._balance.begin(loop, self._adopt)
        for listener in self.listeners:
            listener.open()
        self._tick = loop.call_later(TICK, self._on_tick)
        # What was loaded lives as long as the process; what a command makes dies without the collector.
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER)

    def _adopt(self, listener_name: str, sock: socket.socket) -> None:
        for listener in self.listeners:
            if listener.name == listener_name:
                listener.adopt(sock)
                return
        sock.close()

    def _context(self, settings: ListenerConfig) -> Context:
        """The routes of a listener, bound to clusters."""
        proxy = settings.redis_proxy
        prefixes = proxy.prefix_routes
        bound: dict[int, BoundRoute] = {}

        def bind(route_config: RouteConfig, prefix: bytes, remove_prefix: bool) -> Route:
            """The route, and what it is bound to, noted."""
            rules = tuple(
                MirrorRule(mirror.cluster, mirror.exclude_read_commands, mirror.runtime_fraction)
                for mirror in route_config.request_mirror_policy
            )
            route = Route(route_config.cluster, prefix, remove_prefix, rules)
            mirrors = tuple(
                Mirror(self._cluster(rule.cluster, ReadPolicy.PRIMARY, settings), rule, random.random) for rule in rules
            )
            cluster = self._cluster(route_config.cluster, proxy.settings.read_policy, settings)
            bound[id(route)] = BoundRoute(route, cluster, mirrors)
            return route

        routes = [bind(route, route.prefix.encode(), route.remove_prefix) for route in prefixes.routes]
        catch_all = prefixes.catch_all_route
        table = RouteTable(
            routes,
            catch_all=bind(catch_all, b"", False) if catch_all is not None else None,
            case_insensitive=prefixes.case_insensitive,
        )
        announce = settings.cluster_announce
        return Context(
            self.catalog,
            table,
            bound,
            counts_commands=proxy.settings.enable_command_stats,
            users=users_of(proxy),
            settings=proxy.settings,
            max_clients=settings.limits.max_clients * max(self.config.workers, 1),
            scripts=self.scripts,
            servers=self.servers,
            samples=lambda: [*self.samples(), *process_samples()],
            cluster_announce=Endpoint.parse(announce) if announce is not None else None,
            max_subscriptions=settings.limits.max_subscriptions_per_client,
            crew=Crew(settings.name, self.worker_id, self.config.workers, self._link),
        )

    def _cluster(self, name: str, read_policy: ReadPolicy, listener: ListenerConfig) -> Cluster:
        """The cluster ``name`` as this listener uses it; listeners that use it alike share it."""
        settings = listener.redis_proxy.settings
        slow_log = SlowLog(slower_than(settings.slowlog_log_slower_than), settings.slowlog_max_len)
        key = (name, read_policy, settings.op_timeout, settings.enable_redirection, slow_log.slower_than)
        if key not in self.clusters:
            self.clusters[key] = Cluster(
                next(cluster for cluster in self.config.clusters if cluster.name == name),
                read_policy,
                self.turn,
                op_timeout=settings.op_timeout,
                follows_redirections=settings.enable_redirection,
                draw=random.random,
                slow_log=slow_log,
            )
        return self.clusters[key]

    def _begin_discovery(self, cluster: Cluster) -> None:
        settings = cluster.settings
        seeds = [Endpoint.parse(text) for text in settings.endpoints]
        if settings.type == "standalone":
            cluster.swap(Topology.standalone(seeds[0]))
            return
        policy = RefreshPolicy(
            cluster_refresh_rate=settings.cluster_refresh_rate,
            redirect_refresh_interval=settings.redirect_refresh_interval,
            redirect_refresh_threshold=settings.redirect_refresh_threshold,
            failure_refresh_threshold=settings.failure_refresh_threshold,
            host_degraded_refresh_threshold=settings.host_degraded_refresh_threshold,
        )
        cluster.refresher = Refresher(cluster, seeds, RefreshSchedule(policy))
        cluster.refresher.start()

    def _begin_learning(self) -> None:
        """Learn the commands of each routed cluster once, however many ways it is used in."""
        by_name = {cluster.name: cluster for context in self.contexts for cluster in context.clusters()}
        self._learners = [Learner(cluster, self.catalog, servers=self.servers) for cluster in by_name.values()]
        for learner in self._learners:
            learner.start()

    def _on_tick(self) -> None:
        self._tick = self.turn.loop.call_later(TICK, self._on_tick)
        for cluster in self.clusters.values():
            cluster.tick()
        for listener in self.listeners:
            listener.tick(self.turn.now)

    async def drain(self, timeout: float) -> bool:
        """Accept no more clients, finish what is in flight, then close everything; true if all of it was finished."""
        if self._balance is not None:
            self._balance.end(self.turn.loop)
        for listener in self.listeners:
            listener.finish()
        deadline = self.turn.tick() + timeout
        while any(listener.connections for listener in self.listeners) and self.turn.tick() < deadline:
            await asyncio.sleep(0.01)
        is_finished = not any(listener.connections for listener in self.listeners)
        await self._close()
        return is_finished

    async def _close(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
        for listener in self.listeners:
            listener.close()
        for learner in self._learners:
            await learner.stop()
        for cluster in self.clusters.values():
            if cluster.refresher is not None:
                await cluster.refresher.stop()
            cluster.close()
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
