"""What the dispatcher of one listener works with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rproxy.acl.users import Users
from rproxy.commands.catalog import Catalog
from rproxy.config.models import SettingsConfig
from rproxy.dispatch.acl_log import AclLog
from rproxy.dispatch.crew import Crew
from rproxy.dispatch.mirror import Mirror
from rproxy.dispatch.monitors import Monitors
from rproxy.dispatch.parameters import COMMON, Parameter
from rproxy.dispatch.pause import Pause
from rproxy.dispatch.route import BoundRoute
from rproxy.dispatch.session import Session
from rproxy.metrics.samples import Sample
from rproxy.resp.name_index import NameIndex
from rproxy.routing.routes import RouteTable
from rproxy.routing.script_cache import ScriptCache
from rproxy.topology.server_facts import ServerFacts
from rproxy.topology.snapshot import Endpoint
from rproxy.upstream.cluster import Cluster

_UNKNOWN = ServerFacts()


@dataclass(slots=True)
class Context:
    """The commands and routes of a listener. ``bound`` holds, for each of the table's routes, its clusters.

    ``scripts`` are the worker's. ``servers`` are the facts learned from each cluster, by its name. ``samples`` gives
    the metrics of the worker, ``counted_before`` has those at the last CONFIG RESETSTAT. ``parameters`` are those of
    CONFIG that are rproxy's own.
    ``users`` are who may come in. ``local_commands`` counts what rproxy answered itself, by command name.
    ``cluster_announce`` is where cluster-mode clients are told to find rproxy, ``None`` for the address that they used.
    A client may have ``max_subscriptions``. ``crew`` asks all workers.
    ``sessions`` are those of the clients that are here, by id; ``pause`` has their commands wait,
    ``monitors`` has them shown.
    """

    catalog: Catalog
    routes: RouteTable
    bound: dict[int, BoundRoute]
    counts_commands: bool = True
    settings: SettingsConfig = field(default_factory=SettingsConfig)
    users: Users = field(default_factory=Users)
    acl_log: AclLog = field(default_factory=AclLog)
    max_clients: int = 10_000
    scripts: ScriptCache = field(default_factory=ScriptCache)
    servers: Mapping[str, ServerFacts] = field(default_factory=dict)
    samples: Callable[[], list[Sample]] = list
    counted_before: list[Sample] = field(default_factory=list)
    parameters: dict[bytes, Parameter] = field(default_factory=lambda: dict(COMMON))
    local_commands: Counter[str] = field(default_factory=Counter)
    cluster_announce: Endpoint | None = None
    max_subscriptions: int = 100_000
    crew: Crew = field(default_factory=Crew)
    sessions: dict[int, Session] = field(default_factory=dict)
    pause: Pause = field(default_factory=Pause)
    monitors: Monitors = field(default_factory=Monitors)

    @property
    def commands(self) -> NameIndex:
        """The commands by name."""
        return self.catalog.names

    @property
    def server(self) -> ServerFacts:
        """The server that rproxy looks like: one of the cluster that commands without keys go to."""
        return self.servers.get(self.keyless_route().cluster.name, _UNKNOWN)

    @property
    def only_route(self) -> BoundRoute | None:
        """The route of every command, if there is just one."""
        catch_all = self.routes.only
        return self.bound[id(catch_all)] if catch_all is not None else None

    def route_of(self, key: bytes) -> BoundRoute | None:
        """The route of ``key``, ``None`` if no prefix matches."""
        route = self.routes.match(key)
        return self.bound[id(route)] if route is not None else None

    def keyless_route(self) -> BoundRoute:
        """The route of commands without keys: the catch-all, else the first."""
        route = self.routes.match(b"")
        return self.bound[id(route)] if route is not None else next(iter(self.bound.values()))

    def mirrors(self) -> list[Mirror]:
        """The mirrors of all routes, one for each cluster."""
        return list({mirror.cluster.name: mirror for route in self.bound.values() for mirror in route.mirrors}.values())

    def clusters(self) -> list[Cluster]:
        """The clusters behind the routes, each once."""
        return list({id(route.cluster): route.cluster for route in self.bound.values()}.values())
