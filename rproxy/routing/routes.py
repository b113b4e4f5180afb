"""Routes: which cluster a key belongs to, by its prefix. The words and rules are those of Envoy's ``prefix_routes``.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/network/redis_proxy/v3/redis_proxy.proto
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MirrorRule:
    """Which commands of a route are copied to ``cluster``: a ``fraction`` (0 to 1) of all, or of all but the reads."""

    cluster: str
    exclude_read_commands: bool = False
    fraction: float = 1.0

    def wants(self, is_read: bool, draw: float) -> bool:
        """Whether to copy a command, given ``draw``, a random number in [0, 1) drawn for it."""
        return draw < self.fraction and not (is_read and self.exclude_read_commands)


@dataclass(frozen=True, slots=True)
class Route:
    """Keys that begin with ``prefix`` belong to ``cluster``, which knows them without it if ``remove_prefix``."""

    cluster: str
    prefix: bytes = b""
    remove_prefix: bool = False
    mirrors: tuple[MirrorRule, ...] = ()

    def upstream_key(self, key: bytes) -> bytes:
        """The name by which the cluster knows ``key``, which this route matched (in whatever case)."""
        return key[len(self.prefix) :] if self.remove_prefix else key


class RouteTable:
    """The routes of a listener: the longest matching prefix wins, then the catch-all, if there is one.

    ``only`` is the route of every key when no other prefix is to be looked at: the data path then looks at none.
    ``routes`` are all routes, each once, the catch-all last.
    """

    __slots__ = ("_by_length", "_is_case_insensitive", "catch_all", "only", "routes")

    def __init__(self, routes: Iterable[Route], catch_all: Route | None = None, case_insensitive: bool = False) -> None:
        """Raises ``ValueError`` (one line) for a prefix that stands twice, or a catch-all that has one."""
        if catch_all is not None and catch_all.prefix:
            raise ValueError("a catch-all route has no prefix")
        by_length: dict[int, dict[bytes, Route]] = {}
        prefixed = tuple(routes)
        for route in prefixed:
            prefix = route.prefix.lower() if case_insensitive else route.prefix
            of_length = by_length.setdefault(len(prefix), {})
            if prefix in of_length:
                raise ValueError(f"prefix '{route.prefix.decode(errors='backslashreplace')}' has two routes")
            of_length[prefix] = route
        self._by_length = sorted(by_length.items(), reverse=True)
        self._is_case_insensitive = case_insensitive
        self.catch_all = catch_all
        self.routes = prefixed if catch_all is None else (*prefixed, catch_all)
        self.only = self.routes[0] if len(self.routes) == 1 and not self.routes[0].prefix else None

    def match(self, key: bytes) -> Route | None:
        """The route of ``key``, ``None`` if it has none."""
        if self.only is not None:
            return self.only
        if self._is_case_insensitive:
            key = key.lower()
        for length, of_length in self._by_length:
            route = of_length.get(key[:length])
            if route is not None:
                return route
        return self.catch_all
