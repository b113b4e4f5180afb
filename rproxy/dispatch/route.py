"""A route whose names have become the clusters of this worker."""

from __future__ import annotations

from rproxy.dispatch.mirror import Mirror
from rproxy.routing.routes import Route
from rproxy.upstream.cluster import Cluster


class BoundRoute:
    """``is_direct``: commands take this route as the bytes that came, with no copy and no change."""

    __slots__ = ("cluster", "is_direct", "mirrors", "rule")

    def __init__(self, rule: Route, cluster: Cluster, mirrors: tuple[Mirror, ...]) -> None:
        self.rule = rule
        self.cluster = cluster
        self.mirrors = mirrors
        self.is_direct = not rule.remove_prefix

    def rebind(self, rule: Route, cluster: Cluster, mirrors: tuple[Mirror, ...]) -> None:
        """Lead elsewhere from now on: for transactions too that began before."""
        self.rule = rule
        self.cluster = cluster
        self.mirrors = mirrors
        self.is_direct = not rule.remove_prefix
