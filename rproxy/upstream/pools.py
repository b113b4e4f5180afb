"""The pools of a cluster: those that requests go to, and those that only finish what is in flight."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rproxy.topology.snapshot import Endpoint
from rproxy.upstream.pool import Pool

if TYPE_CHECKING:
    from rproxy.upstream.cluster import Cluster


class Pools:
    """One pool for each endpoint and role, made when it is first asked for.

    One that the topology has no use for any more is *retired*: it answers what is in flight, and closes.
    """

    __slots__ = ("_cluster", "_in_force", "_retired")

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._in_force: dict[tuple[Endpoint, bool], Pool] = {}
        self._retired: list[Pool] = []

    def get(self, endpoint: Endpoint, is_readonly: bool) -> Pool:
        """The pool of an endpoint in one role, made where there is none."""
        key = (endpoint, is_readonly)
        pool = self._in_force.get(key)
        if pool is None:
            pool = self._in_force[key] = Pool(self._cluster, endpoint, is_readonly)
        return pool

    def find(self, endpoint: Endpoint, is_readonly: bool) -> Pool | None:
        """The pool of an endpoint in one role, ``None`` where there is none."""
        return self._in_force.get((endpoint, is_readonly))

    def knows(self, endpoint: Endpoint) -> bool:
        """Whether requests may have been sent to ``endpoint`` already."""
        return any(self.find(endpoint, is_readonly) is not None for is_readonly in (False, True))

    def in_force(self) -> list[Pool]:
        """Those that are not retired."""
        return list(self._in_force.values())

    def every(self) -> list[Pool]:
        """All, the retired last."""
        return [*self._in_force.values(), *self._retired]

    def keep(self, pools: Iterable[Pool]) -> None:
        """Retire all others."""
        kept = set(pools)
        self._retired += [pool for pool in self._in_force.values() if pool not in kept]
        self._in_force = {key: pool for key, pool in self._in_force.items() if pool in kept}

    def close_retired(self) -> None:
        """The janitor's round of the retired: close those that have nothing in flight."""
        self._retired = [pool for pool in self._retired if not pool.retire()]

    def in_flight(self) -> int:
        """Requests that wait for a reply."""
        return sum(pool.in_flight() for pool in self.every())

    def pinned(self) -> tuple[int, int]:
        """How many pinned connections are in use, and how many wait for a client."""
        counts = [pool.pins.count() for pool in self.every()]
        return sum(count[0] for count in counts), sum(count[1] for count in counts)

    def close(self) -> None:
        """Close every connection."""
        for pool in self.every():
            pool.close()
