"""The workers of an rproxy, be it one in this process or several in their own, and what operators are told of them."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rproxy.config.models import Config
from rproxy.config.passwords import masked
from rproxy.dispatch.crew import Link
from rproxy.downstream.balance import Share
from rproxy.metrics.process import process_samples
from rproxy.metrics.samples import Sample, merge

NewSockets = list[dict[str, socket.socket]]
"""For each worker, in the order of their ids, listening sockets by the name of their listener."""

log = logging.getLogger("rproxy.server")


class WorkerLike(Protocol):
    """What is asked of a worker, as ``server.worker.Worker`` has it."""

    def share(self, share: Share, /) -> None:
        """Take part in spreading clients over the workers; before ``start``."""

    def join(self, link: Link, /) -> None:
        """Ask the other workers through ``link``; before ``start``."""

    def answer(self, listener: str, question: str, argument: Any) -> Any:
        """What another worker wants to know of a listener: JSON-able."""

    async def start(self) -> None:
        """Serve clients from now on."""

    async def reload(self, config: Config, sockets: dict[str, socket.socket], /) -> None:
        """Go by ``config`` from now on, dropping nobody; ``sockets`` are those of listeners that need new ones."""

    def inherit(self, inbox: socket.socket, /) -> None:
        """Go on with the clients that another rproxy hands over through ``inbox``; before ``start``."""

    async def drain(self, seconds: float, heirs: Sequence[socket.socket] = (), /) -> bool:
        """Accept no more and finish what is in flight; true if all was finished within ``seconds``.

        With ``heirs``, clients are handed over to them (``server.hand_over``).
        """

    def samples(self) -> list[Sample]:
        """Its metrics."""

    def describe_clusters(self) -> list[dict[str, Any]]:
        """The state of its clusters: JSON-able."""

    def readiness(self) -> tuple[bool, str]:
        """Whether it can serve every command, and why not."""


class MakeWorker(Protocol):
    """Makes a worker from its configuration and its listening sockets by listener name."""

    def __call__(self, config: Config, sockets: dict[str, socket.socket], *, worker_id: int) -> WorkerLike:
        """The worker, which has not started yet."""


def answers_of(worker: WorkerLike) -> dict[str, Callable[[], Any]]:
    """What a worker answers to each question: JSON-able."""
    return {
        "samples": lambda: [*worker.samples(), *process_samples()],
        "clusters": worker.describe_clusters,
        "readiness": worker.readiness,
    }


async def drain(worker: WorkerLike, seconds: float, heirs: Sequence[socket.socket] = ()) -> None:
    """Drain ``worker`` within ``seconds``, and say so if some clients were cut off."""
    if not await worker.drain(seconds, heirs):
        log.warning("clients were still waiting for replies after %g s: cut off", seconds)


class Crew(Protocol):
    """All workers of this rproxy."""

    async def start(self) -> None:
        """Start every worker. Raises ``StartError``."""

    async def reload(self, config: Config, sockets: NewSockets) -> list[str]:
        """Have every worker go by ``config``; what went wrong, a line for each worker that did not.

        ``sockets`` are those of listeners that need new ones. One reload at a time.
        """

    async def drain(self, heirs: Sequence[socket.socket] = ()) -> None:
        """Have every worker drain within the configured time, then end; clients are handed over to the ``heirs``."""

    async def ask(self, question: str) -> dict[int, Any]:
        """The answers of the workers by worker id; one that gives none in time is left out."""

    async def samples(self) -> list[Sample]:
        """The metrics of all processes, not merged yet."""


class SoleWorker:
    """A crew of one, in this process."""

    def __init__(self, worker: WorkerLike, drain_timeout: float) -> None:
        self._worker = worker
        self._answers = answers_of(worker)
        self._drain_timeout = drain_timeout

    async def start(self) -> None:
        """See ``Crew``."""
        await self._worker.start()

    async def reload(self, config: Config, sockets: NewSockets) -> list[str]:
        """See ``Crew``."""
        self._drain_timeout = config.drain_timeout
        try:
            await self._worker.reload(config, sockets[0])
        except Exception as error:  # whatever it is, the clients come first
            log.exception("the new configuration could not be taken over")
            return [f"{type(error).__name__}: {error}"]
        return []

    async def drain(self, heirs: Sequence[socket.socket] = ()) -> None:
        """See ``Crew``."""
        await drain(self._worker, self._drain_timeout, heirs)

    async def ask(self, question: str) -> dict[int, Any]:
        """See ``Crew``."""
        return {0: self._answers[question]()}

    async def samples(self) -> list[Sample]:
        """See ``Crew``."""
        return [*self._answers["samples"](), *crew_samples(configured=1, alive=1, restarts=0)]


class CrewSource:
    """What the admin server shows: the answers of a crew."""

    def __init__(self, crew: Crew, config: Config) -> None:
        self.is_draining = False
        self.config = config
        self.more_samples: Callable[[], list[Sample]] = list
        self._crew = crew

    async def samples(self) -> list[Sample]:
        """The metrics of all workers, merged."""
        return merge([await self._crew.samples(), self.more_samples()])

    async def clusters(self) -> list[dict[str, Any]]:
        """The clusters of every worker, whose id is in ``worker``."""
        answers = await self._crew.ask("clusters")
        return [{"worker": worker_id, **cluster} for worker_id, clusters in answers.items() for cluster in clusters]

    async def readiness(self) -> tuple[bool, str]:
        """Ready when every worker is: clients are spread over all of them."""
        if self.is_draining:
            return False, "draining"
        answers = await self._crew.ask("readiness")
        silent = set(range(self.config.workers)) - set(answers)
        if silent:
            return False, f"no answer from worker {', '.join(map(str, sorted(silent)))}"
        return next(((False, reason) for is_ready, reason in answers.values() if not is_ready), (True, "ready"))

    def config_dump(self) -> dict[str, Any]:
        """The effective configuration, secrets masked."""
        return masked(self.config)


def crew_samples(*, configured: int, alive: int, restarts: int) -> list[Sample]:
    """The metrics about the crew itself."""
    return [
        ("rproxy_workers_configured", (), configured),
        ("rproxy_workers_alive", (), alive),
        ("rproxy_worker_restarts_total", (), restarts),
    ]
