"""The routes of a listener, bound to the clusters of a worker."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rproxy.config.models import ListenerConfig
from rproxy.config.routes import RouteConfig
from rproxy.dispatch.mirror import Mirror
from rproxy.dispatch.route import BoundRoute
from rproxy.routing.routes import MirrorRule, Route, RouteTable
from rproxy.server.upstreams import Use, use_of
from rproxy.topology.read_policy import ReadPolicy
from rproxy.upstream.cluster import Cluster

ClusterOf = Callable[[Use], Cluster]


@dataclass(frozen=True, slots=True)
class Bound:
    """A listener's route table, and what each of its routes is bound to, by the route's id."""

    table: RouteTable
    routes: dict[int, BoundRoute]


def bind(settings: ListenerConfig, cluster_of: ClusterOf, before: Iterable[BoundRoute] = ()) -> Bound:
    """The routes of a listener. Those of ``before`` with the same prefix are led elsewhere, and stay themselves."""
    proxy = settings.redis_proxy
    prefixes = proxy.prefix_routes
    known = {(route.rule.prefix, route.rule.remove_prefix): route for route in before}
    routes: dict[int, BoundRoute] = {}

    def bound(config: RouteConfig, prefix: bytes, remove_prefix: bool) -> Route:
        """The route, and what it is bound to, noted."""
        rules = tuple(
            MirrorRule(mirror.cluster, mirror.exclude_read_commands, mirror.runtime_fraction)
            for mirror in config.request_mirror_policy
        )
        route = Route(config.cluster, prefix, remove_prefix, rules)
        mirrors = tuple(
            Mirror(cluster_of(use_of(rule.cluster, ReadPolicy.PRIMARY, settings)), rule, random.random)
            for rule in rules
        )
        cluster = cluster_of(use_of(config.cluster, proxy.settings.read_policy, settings))
        old = known.get((prefix, remove_prefix))
        if old is None:
            routes[id(route)] = BoundRoute(route, cluster, mirrors)
        else:
            old.rebind(route, cluster, mirrors)
            routes[id(route)] = old
        return route

    prefixed = [bound(route, route.prefix.encode(), route.remove_prefix) for route in prefixes.routes]
    catch_all = prefixes.catch_all_route
    table = RouteTable(
        prefixed,
        catch_all=bound(catch_all, b"", False) if catch_all is not None else None,
        case_insensitive=prefixes.case_insensitive,
    )
    return Bound(table, routes)
