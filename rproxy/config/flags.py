"""A configuration without a file, from the flags of ``rproxy serve``."""

from __future__ import annotations

from collections.abc import Sequence

from rproxy.config.models import Config
from rproxy.config.problems import InvalidConfigError, Loc, Problem, path_of
from rproxy.config.validation import validate
from rproxy.errors import ConfigError

DEFAULT_LISTEN = "127.0.0.1:6380"

_FLAGS: tuple[tuple[Loc, str], ...] = (
    (("listeners", 0, "address"), "--listen"),
    (("listeners", 0, "redis_proxy", "settings", "read_policy"), "--read-policy"),
    (("clusters", 0), "--seed"),
    (("clusters",), "--mirror"),
    (("admin",), "--admin"),
    (("workers",), "--workers"),
)
"""Which flag a place in the configuration came from: the first that the place begins with."""


def config_from_flags(
    *,
    seeds: Sequence[str],
    listen: str = DEFAULT_LISTEN,
    read_policy: str = "primary",
    mirrors: Sequence[str] = (),
    admin: str | None = None,
    workers: int = 1,
) -> Config:
    """One listener before one Redis Cluster, with a standalone cluster for each of ``mirrors`` that gets its writes.

    Each of ``seeds`` and ``mirrors`` is ``host:port``, or several with commas between. Raises ``ConfigError`` with a
    line for everything that is wrong, in words of the flags.
    """
    mirror_of = {"mirror" if n == 1 else f"mirror-{n}": address for n, address in enumerate(_split(mirrors), 1)}
    route = {
        "cluster": "main",
        "request_mirror_policy": [{"cluster": name, "exclude_read_commands": True} for name in mirror_of],
    }
    proxy = {"settings": {"read_policy": read_policy}, "prefix_routes": {"catch_all_route": route}}
    standalones = [{"name": name, "type": "standalone", "endpoints": [at]} for name, at in mirror_of.items()]
    data = {
        "workers": workers,
        "listeners": [{"name": "redis", "address": listen, "redis_proxy": proxy}],
        "clusters": [{"name": "main", "endpoints": _split(seeds)}, *standalones],
    }
    if admin is not None:
        data["admin"] = {"address": admin}
    try:
        return validate(data)
    except InvalidConfigError as error:
        raise ConfigError("\n".join(f"{_flag_of(problem)}: {problem.message}" for problem in error.problems)) from None


def _split(values: Sequence[str]) -> list[str]:
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def _flag_of(problem: Problem) -> str:
    return next((flag for loc, flag in _FLAGS if problem.loc[: len(loc)] == loc), path_of(problem.loc))
