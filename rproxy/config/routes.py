"""The sections about where commands go."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from rproxy.config.fields import Flag, Fraction, Name
from rproxy.config.section import Section


class MirrorConfig(Section):
    """One mirror of a route: a cluster that gets copies of commands; its answers go nowhere."""

    cluster: Name
    """The cluster that gets the copies."""

    exclude_read_commands: Flag = False
    """Copy writes only."""

    runtime_fraction: Fraction = 1.0
    """The share of the commands that is copied, drawn per command."""


class RouteConfig(Section):
    """Where commands go."""

    cluster: Name
    """The cluster that answers."""

    request_mirror_policy: tuple[MirrorConfig, ...] = ()
    """Clusters that get copies of the commands."""


class PrefixRouteConfig(RouteConfig):
    """Where commands go whose keys begin with a prefix."""

    prefix: Annotated[str, Field(min_length=1)]
    """What the keys begin with; of several matching prefixes the longest counts."""

    remove_prefix: Flag = False
    """Take the prefix off the keys before they are sent on."""


class PrefixRoutesConfig(Section):
    """The route table of a listener."""

    routes: tuple[PrefixRouteConfig, ...] = ()
    """Routes for keys with a prefix."""

    catch_all_route: RouteConfig | None = None
    """The route of every other key; without it such commands get an error."""

    case_insensitive: Flag = False
    """Compare prefixes without regard to case."""

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if not self.routes and self.catch_all_route is None:
            raise ValueError("has neither routes nor a catch_all_route, so no command could be answered")
        prefixes = [route.prefix.encode() for route in self.routes]
        if self.case_insensitive:
            prefixes = [prefix.lower() for prefix in prefixes]  # of bytes, as keys are compared
        for route, prefix in zip(self.routes, prefixes, strict=True):
            if prefixes.count(prefix) > 1:
                raise ValueError(f"has two routes for the prefix {route.prefix!r}")
        return self
