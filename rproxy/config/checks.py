"""Checks that span sections: names that must be unique, or exist elsewhere.

They run over the plain data of the file, whether or not the rest of it is right, so that every error is told at once.
What has the wrong form is passed over here, since the models report it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rproxy.config.problems import Loc, Problem, path_of

EACH = "[]"
"""In a pattern: every element of a list."""

_PREFIX_ROUTES = ("listeners", EACH, "redis_proxy", "prefix_routes")
_ROUTES = ((*_PREFIX_ROUTES, "catch_all_route"), (*_PREFIX_ROUTES, "routes", EACH))
_MIRRORS = ("request_mirror_policy", EACH, "cluster")

_UNIQUE = (
    (("listeners", EACH, "name"),),
    (("clusters", EACH, "name"),),
    (("listeners", EACH, "address"), ("admin", "address")),
)
"""Places whose values, taken together, may not repeat."""


def problems_across(data: object) -> Iterator[Problem]:
    """The problems of ``data``, a configuration as read from YAML."""
    for patterns in _UNIQUE:
        yield from _repetitions([found for pattern in patterns for found in _select(data, pattern)])
    names = (name for _, name in _select(data, ("clusters", EACH, "name")) if isinstance(name, str))
    clusters = list(dict.fromkeys(names))
    for pattern in _ROUTES:
        for loc, route in _select(data, pattern):
            yield from _route_problems(route, loc, clusters)


def _repetitions(found: list[tuple[Loc, Any]]) -> Iterator[Problem]:
    first: dict[str, Loc] = {}
    for loc, value in found:
        if not isinstance(value, str) or value.endswith(":0"):  # any number of listeners may ask for a free port
            continue
        if value in first:
            yield Problem(loc, f"{value!r} is already {path_of(first[value])}")
        first.setdefault(value, loc)


def _route_problems(route: object, loc: Loc, clusters: list[str]) -> Iterator[Problem]:
    own = list(_select(route, ("cluster",), loc))
    mirrors = list(_select(route, _MIRRORS, loc))
    for place, name in own + mirrors:
        if isinstance(name, str) and name not in clusters:
            known = f"there are {', '.join(clusters)}" if clusters else "there is none"
            yield Problem(place, f"{name!r} is no cluster; {known}")
    for place, name in mirrors:
        if own and name == own[0][1]:
            yield Problem(place, f"{name!r} is the route's own cluster; it would get every command twice")


def _select(data: object, pattern: tuple[str, ...], loc: Loc = ()) -> Iterator[tuple[Loc, Any]]:
    """The values at ``pattern`` below ``data``, each with its place; nothing where the data have another form."""
    if not pattern:
        yield loc, data
    elif pattern[0] == EACH and isinstance(data, list):
        for index, value in enumerate(data):
            yield from _select(value, pattern[1:], (*loc, index))
    elif isinstance(data, dict) and pattern[0] in data:
        yield from _select(data[pattern[0]], pattern[1:], (*loc, pattern[0]))
