"""A dispatcher under test before scripted nodes: routes, clusters and mirrors as a worker binds them, in one loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rproxy.commands.catalog import Catalog
from rproxy.config.models import ClusterConfig, SettingsConfig
from rproxy.dispatch.context import Context
from rproxy.dispatch.crew import Crew, Link
from rproxy.dispatch.dispatcher import Dispatcher
from rproxy.dispatch.mirror import Mirror
from rproxy.dispatch.route import BoundRoute
from rproxy.dispatch.session import Session
from rproxy.resp import encode
from rproxy.resp.wire import COMMAND, RequestScanner
from rproxy.routing.routes import Route, RouteTable
from rproxy.topology.read_policy import ReadPolicy
from rproxy.topology.snapshot import Topology
from rproxy.transport.attach import make_turn, stop_turn
from rproxy.upstream.cluster import Cluster
from tests.support.fake_node import PATIENCE
from tests.support.upstream import ROUND, Replies, janitor

MAIN = Route("main")
"""The route of everything to the cluster ``main``."""


class Dispatch:
    """Commands go in as a client's, and replies can be awaited. ``token`` counts what was sent.

    A cluster stands under its name with its topology; ``settings`` are keys of a cluster's configuration, by its name,
    ``proxy_settings`` keys of the listener's.
    ``link`` leads to other workers. ``draw`` is what the mirrors and the clusters draw.
    """

    def __init__(
        self,
        topologies: Mapping[str, Topology],
        catch_all: Route | None = MAIN,
        routes: Iterable[Route] = (),
        *,
        read_policy: ReadPolicy = ReadPolicy.PRIMARY,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        counts_commands: bool = True,
        proxy_settings: Mapping[str, Any] | None = None,
        draw: Callable[[], float] = lambda: 0.0,
        op_timeout: float = PATIENCE,
        link: Link | None = None,
    ) -> None:
        self.turn = make_turn(asyncio.get_running_loop())
        self._draw = draw
        self._op_timeout = op_timeout
        self.clusters = {
            name: self._cluster(name, topology, read_policy, (settings or {}).get(name, {}))
            for name, topology in topologies.items()
        }
        table = RouteTable(routes, catch_all)
        self.bound = {route: self._bind(route) for route in table.routes}
        self.context = Context(
            Catalog(),
            table,
            {id(route): bound for route, bound in self.bound.items()},
            counts_commands=counts_commands,
            settings=SettingsConfig.model_validate(proxy_settings or {}),
            crew=Crew(link=link),
        )
        self.dispatcher = Dispatcher(self.context)
        self.session = Session(1, "127.0.0.1:1", "127.0.0.1:2", 0.0)
        self.replies = Replies()
        self.token = -1
        self._janitor = asyncio.create_task(janitor(*self.clusters.values()))

    def _cluster(self, name: str, topology: Topology, read_policy: ReadPolicy, keys: Mapping[str, Any]) -> Cluster:
        cluster = Cluster(
            ClusterConfig.model_validate(
                {"name": name, "endpoints": ["127.0.0.1:1"], "connect_timeout": PATIENCE, **keys}
            ),
            read_policy,
            self.turn,
            op_timeout=self._op_timeout,
            follows_redirections=True,
            draw=self._draw,
        )
        cluster.swap(topology)
        return cluster

    def _bind(self, route: Route) -> BoundRoute:
        mirrors = tuple(Mirror(self.clusters[rule.cluster], rule, self._draw) for rule in route.mirrors)
        return BoundRoute(route, self.clusters[route.cluster], mirrors)

    def mirror(self, route: Route = MAIN, index: int = 0) -> Mirror:
        """One of the mirrors of a route."""
        mirror: Mirror = self.bound[route].mirrors[index]
        return mirror

    def send(self, *arguments: str | bytes, session: Session | None = None) -> int:
        """Dispatch a command; its token."""
        data = encode.command([item if isinstance(item, bytes) else item.encode() for item in arguments])
        scanner = RequestScanner()
        assert scanner.next(data, 0, len(data)) == COMMAND
        self.token += 1
        self.turn.tick()
        self.dispatcher.dispatch(session or self.session, self.replies, self.token, scanner)
        return self.token

    async def call(self, *arguments: str | bytes, session: Session | None = None) -> bytes:
        """Dispatch a command and wait for its reply."""
        token = self.send(*arguments, session=session)
        return await self.reply(token)

    async def reply(self, token: int) -> bytes:
        """Wait for the reply to the command that got ``token``."""
        while not (found := self.replies.of(token)):
            await self.replies.have(len(self.replies.delivered) + 1)
        return found[0]

    async def until(self, is_true: Callable[[], object]) -> None:
        """Turn the loop until something holds that no event tells of. Raises ``TimeoutError``."""
        async with asyncio.timeout(PATIENCE):
            while not is_true():
                await asyncio.sleep(ROUND)

    async def close(self) -> None:
        """Close everything; every command was answered exactly once."""
        self._janitor.cancel()
        for cluster in self.clusters.values():
            cluster.close()
        stop_turn(self.turn)
        assert sorted(token for token, _ in self.replies.delivered) == list(range(self.token + 1))
