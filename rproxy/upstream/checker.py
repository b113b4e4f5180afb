"""Asks every endpoint of a cluster whether it is well: a ``PING`` on a connection of its own, again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from rproxy.topology.snapshot import Endpoint
from rproxy.transport.attach import Opened
from rproxy.transport.streams import reason_of
from rproxy.upstream.checks import verdict
from rproxy.upstream.dial import DialError, dial, exchange, handshake

if TYPE_CHECKING:
    from rproxy.config.health_sections import HealthChecksConfig
    from rproxy.upstream.cluster import Cluster

SPREAD = 0.1
"""The share of an interval by which jitter moves a check, so that many proxies do not ask at the same time."""
_PING = ((b"PING",),)

OnCheck = Callable[[Endpoint, str, bool], None]
"""Takes what is wrong with an endpoint, empty if nothing is, and whether it was silent."""


class Checker:
    """One task per endpoint, which keeps its connection until a check fails."""

    def __init__(self, cluster: Cluster, on_check: OnCheck) -> None:
        self._cluster = cluster
        self._on_check = on_check
        self._tasks: dict[Endpoint, asyncio.Task[None]] = {}

    def watch(self, endpoints: Iterable[Endpoint], policy: HealthChecksConfig) -> None:
        """Check these endpoints from now on, and no other."""
        wanted = set(endpoints)
        for endpoint in [each for each in self._tasks if each not in wanted]:
            self._tasks.pop(endpoint).cancel()
        for endpoint in wanted - self._tasks.keys():
            self._tasks[endpoint] = self._cluster.turn.loop.create_task(self._check_always(endpoint, policy))

    def cancel(self) -> None:
        """Check no more."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    async def _check_always(self, endpoint: Endpoint, policy: HealthChecksConfig) -> None:
        probe = _Probe(self._cluster, endpoint, policy)
        try:
            while True:
                self._on_check(endpoint, *await probe.check())
                await asyncio.sleep(policy.interval * (1.0 + SPREAD * self._cluster.draw()))
        finally:
            probe.close()


class _Probe:
    """The connection on which one endpoint is checked."""

    def __init__(self, cluster: Cluster, endpoint: Endpoint, policy: HealthChecksConfig) -> None:
        self._cluster = cluster
        self._endpoint = endpoint
        self._policy = policy
        self._opened: Opened | None = None

    async def check(self) -> tuple[str, bool]:
        """What is wrong, empty if nothing is, and whether the endpoint was silent."""
        trouble, is_silent = "", False
        try:
            async with asyncio.timeout(self._policy.timeout):
                trouble = verdict(await self._answer())
        except TimeoutError:
            trouble, is_silent = f"no answer within {self._policy.timeout:g} s", True
        except (DialError, OSError) as error:
            trouble = str(error) if isinstance(error, DialError) else reason_of(error)
        if trouble:
            self.close()
        return trouble, is_silent

    async def _answer(self) -> object:
        if self._opened is None:
            settings = self._cluster.settings
            # The limit of the check comes first: it is the one that says that the endpoint is silent.
            seconds = 2 * self._policy.timeout
            commands = handshake(settings, self._endpoint)
            self._opened = await dial(self._endpoint, commands, seconds, self._cluster.tls)
        return (await exchange(self._opened, _PING))[0]

    def close(self) -> None:
        """Close it; the next check opens another."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
