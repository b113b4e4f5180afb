"""Learns the commands that a cluster's nodes know and the command table does not: those of modules and newer releases.

What a node says of them is read by ``commands.learned``; here is when and whom to ask.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rproxy.topology.server_facts import ServerFacts, facts_of
from rproxy.topology.snapshot import Endpoint
from rproxy.upstream.dial import DialError, ask, handshake

if TYPE_CHECKING:
    from rproxy.commands.catalog import Catalog
    from rproxy.upstream.cluster import Cluster

PERIOD = 60.0
"""Seconds after which the next node is asked again: an upgrade need not change the topology."""
MISSED_AFTER = 10.0
"""Seconds after which a command that is unknown is a reason to ask again."""
RETRY = 1.0
"""Seconds after a node that could not be asked."""
_SHOWN = 10

log = logging.getLogger("rproxy.commands")


class Learner:
    """One task per cluster. Asks one node when the topology changes, when a command is unknown, and on a period.

    What it says of itself goes to ``servers``, under the name of the cluster.
    """

    def __init__(self, cluster: Cluster, catalog: Catalog, servers: dict[str, ServerFacts] | None = None) -> None:
        self.cluster = cluster
        self._catalog = catalog
        self._servers = servers
        self._task: asyncio.Task[None] | None = None
        self._asked: set[Endpoint] = set()
        self._asked_at = 0.0
        self._is_due = asyncio.Event()
        self._last_trouble = ""

    def start(self) -> None:
        """Begin, as soon as there is a topology."""
        if self.cluster.refresher is not None:
            self.cluster.refresher.on_topology = self._is_due.set
        self._catalog.on_unknown.append(self._on_unknown)
        self._task = self.cluster.turn.loop.create_task(self._run())

    async def stop(self) -> None:
        """Ask no more."""
        task, self._task = self._task, None
        if task is not None:
            self._catalog.on_unknown.remove(self._on_unknown)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _on_unknown(self) -> None:
        """A client sent a command that nobody has told of: perhaps the nodes know it by now."""
        if self._now() - self._asked_at >= MISSED_AFTER:
            self._is_due.set()

    def _now(self) -> float:
        return self.cluster.turn.loop.time()

    async def _run(self) -> None:
        while True:
            self._is_due.clear()
            is_told = await self.learn() if self.cluster.topology.covered else True
            with suppress(TimeoutError):
                async with asyncio.timeout(PERIOD if is_told else RETRY):
                    await self._is_due.wait()

    async def learn(self) -> bool:
        """Ask one node, each in its turn; false if it gave no answer."""
        endpoint = self._next_endpoint()
        self._asked_at = self._now()
        try:
            await self._get_to_know(endpoint)
            entries = await self._ask(endpoint)
        except DialError as error:
            self._tell(f"cluster {self.cluster.name}: {endpoint} does not tell its commands: {error}")
            return False
        self._tell("")
        found = self._catalog.learn(entries)
        if found:
            shown = [spec.name.decode().lower() for spec in found[:_SHOWN]]
            more = ["…"] if len(found) > _SHOWN else []
            log.info("cluster %s: learned %d commands: %s", self.cluster.name, len(found), ", ".join(shown + more))
        return True

    def _next_endpoint(self) -> Endpoint:
        """The healthiest node that was not asked in this round."""
        known = self.cluster.known_endpoints()
        if not set(known) - self._asked:
            self._asked.clear()
        endpoint = next(endpoint for endpoint in known if endpoint not in self._asked)
        self._asked.add(endpoint)
        return endpoint

    async def _ask(self, endpoint: Endpoint) -> list[Any]:
        """What the node says of the commands that the table does not have. Raises ``DialError``."""
        names = await self._question(endpoint, [b"COMMAND", b"LIST"])
        if isinstance(names, list):
            unknown = self._catalog.unknown(names)
            entries = await self._question(endpoint, [b"COMMAND", b"INFO", *unknown]) if unknown else []
        else:  # Redis 6 has no COMMAND LIST
            entries = await self._question(endpoint, [b"COMMAND"])
        if not isinstance(entries, list):
            raise DialError(f"the answer was {entries!r:.100}")
        return entries

    async def _get_to_know(self, endpoint: Endpoint) -> None:
        """Keep what the node says of itself for whoever asked for it. Raises ``DialError``."""
        if self._servers is not None:
            info, modules = await self._questions(endpoint, [b"INFO", b"server"], [b"MODULE", b"LIST"])
            self._servers[self.cluster.name] = facts_of(info, modules)

    async def _question(self, endpoint: Endpoint, question: list[bytes]) -> Any:
        (answer,) = await self._questions(endpoint, question)
        return answer

    async def _questions(self, endpoint: Endpoint, *questions: list[bytes]) -> list[Any]:
        settings = self.cluster.settings
        limit = settings.cluster_refresh_timeout
        commands = handshake(settings, endpoint)
        return await ask(endpoint, commands, questions, settings.connect_timeout, limit, self.cluster.tls)

    def _tell(self, trouble: str) -> None:
        """Log a trouble once."""
        if trouble and trouble != self._last_trouble:
            log.warning("%s", trouble)
        self._last_trouble = trouble
