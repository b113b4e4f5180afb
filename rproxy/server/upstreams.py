"""The clusters of a worker: made, kept or replaced as its configuration says, and looked after until they close."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from rproxy.config.models import ClusterConfig, Config, ListenerConfig
from rproxy.config.routes import RouteConfig
from rproxy.topology.read_policy import ReadPolicy
from rproxy.topology.refresh import RefreshPolicy, RefreshSchedule
from rproxy.topology.snapshot import Endpoint, Topology
from rproxy.transport.connection import Turn
from rproxy.upstream.cluster import Cluster
from rproxy.upstream.refresher import Refresher
from rproxy.upstream.slow_log import SlowLog, slower_than

TOPOLOGY_WITHIN = 3.0
"""Seconds that a reload waits for the topologies of clusters that are new, before commands go to them."""
_POLL = 0.02

log = logging.getLogger("rproxy.reload")


class Use(NamedTuple):
    """How a listener uses a cluster; listeners that use it alike share it. ``slower_than`` is in seconds."""

    name: str
    read_policy: ReadPolicy
    op_timeout: float
    follows_redirections: bool
    slower_than: float


def use_of(name: str, read_policy: ReadPolicy, listener: ListenerConfig) -> Use:
    """How ``listener`` uses the cluster ``name``."""
    settings = listener.redis_proxy.settings
    threshold = slower_than(settings.slowlog_log_slower_than)
    return Use(name, read_policy, settings.op_timeout, settings.enable_redirection, threshold)


def uses_of(config: Config) -> dict[Use, ListenerConfig]:
    """Every use of a cluster, mirrors included, with a listener that has it."""
    found: dict[Use, ListenerConfig] = {}
    for listener in config.listeners:
        proxy = listener.redis_proxy
        routes: list[RouteConfig] = [*proxy.prefix_routes.routes]
        if proxy.prefix_routes.catch_all_route is not None:
            routes.append(proxy.prefix_routes.catch_all_route)
        for route in routes:
            found.setdefault(use_of(route.cluster, proxy.settings.read_policy, listener), listener)
            for mirror in route.request_mirror_policy:
                found.setdefault(use_of(mirror.cluster, ReadPolicy.PRIMARY, listener), listener)
    return found


@dataclass(slots=True)
class _Retired:
    """A cluster that gets no new commands; it was last seen to be in use at ``used_at``."""

    cluster: Cluster
    used_at: float


class Upstreams:
    """``in_use`` are the clusters by their use, ``retired`` those that only finish what is under way."""

    def __init__(self, turn: Turn) -> None:
        self.in_use: dict[Use, Cluster] = {}
        self._retired: list[_Retired] = []
        self._turn = turn
        self._lengths: dict[int, int] = {}

    @property
    def retired(self) -> list[Cluster]:
        """See above."""
        return [each.cluster for each in self._retired]

    def set_up(self, config: Config) -> None:
        """Have what ``config`` uses, and begin to learn the topologies."""
        self.in_use = {use: self._make(use, config, listener) for use, listener in uses_of(config).items()}
        for cluster in self.in_use.values():
            _begin_discovery(cluster)
        self._note_lengths(uses_of(config))

    def _note_lengths(self, uses: dict[Use, ListenerConfig]) -> None:
        """Resize the slow logs to what is configured, where that has changed: CONFIG SET may have, since."""
        lengths = {
            id(self.in_use[use]): listener.redis_proxy.settings.slowlog_max_len for use, listener in uses.items()
        }
        for cluster in self.in_use.values():
            length = lengths[id(cluster)]
            if length != self._lengths.get(id(cluster), length):
                cluster.slow_log.resize(length)
        self._lengths = lengths

    def _make(self, use: Use, config: Config, listener: ListenerConfig) -> Cluster:
        most = listener.redis_proxy.settings.slowlog_max_len
        return Cluster(
            _settings_of(config, use.name),
            use.read_policy,
            self._turn,
            op_timeout=use.op_timeout,
            follows_redirections=use.follows_redirections,
            draw=random.random,
            slow_log=SlowLog(use.slower_than, most),
        )

    async def await_topologies(self, seconds: float) -> None:
        """Wait until each cluster has a topology, ``seconds`` at most."""
        await _await_topologies(self.in_use.values(), seconds)

    # -- another configuration

    async def prepare(self, config: Config) -> dict[Use, Cluster]:
        """The clusters for ``config``, those that are there and new ones, whose topologies are known if they can be.

        Nothing changes for those that are there until ``adopt``; new ones that are not adopted are to be ``drop``ped.
        """
        uses = uses_of(config)
        planned = {use: cluster for use, cluster in self.in_use.items() if _may_keep(use, cluster, uses, config)}
        free = {use: cluster for use, cluster in self.in_use.items() if use not in uses}
        new: list[Cluster] = []
        for use, listener in uses.items():
            if use in planned:
                continue
            alike = next((old for old in free if old.name == use.name and _is_of_type(free[old], use, config)), None)
            if alike is not None:
                planned[use] = free.pop(alike)
            else:
                planned[use] = self._make(use, config, listener)
                new.append(planned[use])
        for cluster in new:
            _begin_discovery(cluster)
        await _await_topologies(new)
        return planned

    def drop(self, planned: dict[Use, Cluster]) -> None:
        """Close the clusters of ``planned`` that are not in use."""
        for cluster in planned.values():
            if cluster not in self.in_use.values():
                self._retired.append(_Retired(cluster, self._turn.tick()))

    def adopt(self, planned: dict[Use, Cluster], config: Config) -> None:
        """Use the clusters of ``planned`` from now on, with the settings of ``config``; retire the others."""
        before = {id(cluster): (use, cluster) for use, cluster in self.in_use.items()}
        uses = uses_of(config)
        self.in_use = {use: planned[use] for use in uses}
        for use, cluster in self.in_use.items():
            settings = _settings_of(config, use.name)
            old_use, _ = before.pop(id(cluster), (use, cluster))
            if (use, settings) != (old_use, cluster.settings):
                _reconfigure(cluster, use, settings)
            if use.slower_than != old_use.slower_than:
                cluster.slow_log.slower_than = use.slower_than
        self._note_lengths(uses)
        now = self._turn.tick()
        self._retired += [_Retired(cluster, now) for _, cluster in before.values()]

    # -- as long as the worker lives

    def tick(self) -> list[Cluster]:
        """The janitor's round; the clusters that were closed in it, since nobody needed them any more."""
        for cluster in self.in_use.values():
            cluster.tick()
        if not self._retired:
            return []
        now = self._turn.tick()
        staying: list[_Retired] = []
        closed: list[_Retired] = []
        for each in self._retired:
            each.cluster.tick()
            if not each.cluster.is_idle():
                each.used_at = now
            # Who looks for an endpoint to block at, or has the next part of a split command to send, is not seen.
            is_over = now - each.used_at > each.cluster.op_timeout
            (closed if is_over else staying).append(each)
        self._retired = staying
        for each in closed:
            close(each.cluster)
        return [each.cluster for each in closed]

    async def stop(self) -> None:
        """Close everything."""
        for cluster in [*self.in_use.values(), *self.retired]:
            if cluster.refresher is not None:
                await cluster.refresher.stop()
            cluster.close()


def close(cluster: Cluster) -> None:
    """Close a cluster that nobody uses."""
    if cluster.refresher is not None:
        cluster.refresher.cancel()
    cluster.close()


def _settings_of(config: Config, name: str) -> ClusterConfig:
    return next(cluster for cluster in config.clusters if cluster.name == name)


def _is_of_type(cluster: Cluster, use: Use, config: Config) -> bool:
    """Whether the cluster is of the type that it has to be: another type is another way to know its topology."""
    settings = _settings_of(config, use.name)
    is_moved = settings.type == "standalone" and settings.endpoints != cluster.settings.endpoints
    return cluster.settings.type == settings.type and not is_moved


def _may_keep(use: Use, cluster: Cluster, uses: Iterable[Use], config: Config) -> bool:
    return use in uses and _is_of_type(cluster, use, config)


def _reconfigure(cluster: Cluster, use: Use, settings: ClusterConfig) -> None:
    cluster.reconfigure(
        settings, use.read_policy, op_timeout=use.op_timeout, follows_redirections=use.follows_redirections
    )
    if cluster.refresher is not None:
        cluster.refresher.follow(_seeds_of(settings), _schedule_of(settings))


def _seeds_of(settings: ClusterConfig) -> list[Endpoint]:
    return [Endpoint.parse(text) for text in settings.endpoints]


def _schedule_of(settings: ClusterConfig) -> RefreshSchedule:
    return RefreshSchedule(
        RefreshPolicy(
            cluster_refresh_rate=settings.cluster_refresh_rate,
            redirect_refresh_interval=settings.redirect_refresh_interval,
            redirect_refresh_threshold=settings.redirect_refresh_threshold,
            failure_refresh_threshold=settings.failure_refresh_threshold,
            host_degraded_refresh_threshold=settings.host_degraded_refresh_threshold,
        )
    )


def _begin_discovery(cluster: Cluster) -> None:
    seeds = _seeds_of(cluster.settings)
    if cluster.settings.type == "standalone":
        cluster.swap(Topology.standalone(seeds[0]))
        return
    cluster.refresher = Refresher(cluster, seeds, _schedule_of(cluster.settings))
    cluster.refresher.start()


async def _await_topologies(clusters: Iterable[Cluster], seconds: float = TOPOLOGY_WITHIN) -> None:
    """Wait until each has a topology, but not for ever: one that cannot be reached may be so for long."""
    deadline = asyncio.get_running_loop().time() + seconds
    for cluster in clusters:
        while not cluster.topology.covered:
            if asyncio.get_running_loop().time() >= deadline:
                log.warning("cluster %s: no node has told the topology yet; it is used all the same", cluster.name)
                break
            await asyncio.sleep(_POLL)
