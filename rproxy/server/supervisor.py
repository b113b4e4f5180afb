"""The supervisor: keeps several workers on one port alive and speaks for all of them.

Every worker has a listening socket of its own on the port. The supervisor holds them all for as long as it runs, so the
port stays open when a worker dies: clients that the kernel had queued, or still queues, at the dead worker's socket are
accepted by the worker that takes its place, which is given the same socket.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
from collections.abc import Sequence
from typing import Any

from rproxy.config.changes import kept_sockets
from rproxy.config.models import Config
from rproxy.downstream.balance import Ledger
from rproxy.errors import StartError
from rproxy.metrics.process import process_samples
from rproxy.metrics.samples import Sample, from_json, lasting, merge
from rproxy.server.control import ControlError, Message, StartQuestion
from rproxy.server.crew import NewSockets, crew_samples
from rproxy.server.sockets import ListeningSockets
from rproxy.server.worker_process import WorkerProcess

ANSWER_WITHIN = 1.0
"""Seconds a worker has to answer another one, whose client waits for the answers of all."""
OPERATORS_WAIT = 5.0
"""Seconds a worker has to answer operators: one that hangs never makes ``/metrics`` hang, and one that has much to do
is not left out; Prometheus waits for 10 s if nothing else is said."""
RESTART_FIRST = 0.1
RESTART_MOST = 5.0
RESTART_RESET = 10.0
"""Seconds before a dead worker is started again: doubled each time up to the most, until one has lived long enough."""
_DRAIN_GRACE = 2.0
"""Seconds beyond the drain time-out that a worker has to end by itself."""

log = logging.getLogger("rproxy.supervisor")


def restart_delay(previous: float, lifetime: float) -> float:
    """Seconds to wait before a worker that lived for ``lifetime`` is started again; ``previous`` is the wait before."""
    if previous == 0.0 or lifetime >= RESTART_RESET:
        return RESTART_FIRST
    return min(previous * 2, RESTART_MOST)


class Supervisor:
    """A crew of worker processes. ``command`` starts one; the descriptors of its channels are appended to it.

    Clients of another rproxy come through ``inboxes``, one for each worker.
    """

    def __init__(
        self,
        config: Config,
        sockets: ListeningSockets,
        command: Sequence[str],
        inboxes: Sequence[socket.socket] = (),
    ) -> None:
        self._config = config
        self._sockets = sockets
        self._command = command
        self._inboxes = dict(enumerate(inboxes))
        self._workers: dict[int, WorkerProcess] = {}
        self._ledger = Ledger(config.workers)
        self._keepers: list[asyncio.Task[None]] = []
        self._restarts = 0
        self._departed: list[Sample] = []
        self._relaying: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count()

    async def start(self) -> None:
        """Start every worker, and keep them alive from then on. Raises ``StartError`` if one does not start."""
        worker_ids = range(self._config.workers)
        outcomes = await asyncio.gather(*map(self._spawn, worker_ids), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                await asyncio.gather(*(worker.kill() for worker in self._workers.values()))
                raise outcome
        for inbox in self._inboxes.values():
            inbox.close()  # a worker that takes the place of another comes too late to inherit
        self._inboxes.clear()
        self._keepers = [asyncio.create_task(self._keep(worker_id)) for worker_id in worker_ids]

    async def _spawn(self, worker_id: int) -> None:
        sockets, share = self._sockets.of_worker[worker_id], self._ledger.share_of(worker_id)
        start = StartQuestion(self._config, sockets, worker_id, share, self._inboxes.get(worker_id))
        worker = self._workers[worker_id] = await WorkerProcess.spawn(start, self._command, self._on_request)
        log.info("worker %d runs as process %d", worker_id, worker.pid)
        if worker.config is not self._config:  # another one came while it started
            trouble = await self._reload(worker, self._config)
            if trouble:
                log.warning("%s", trouble)

    async def _keep(self, worker_id: int) -> None:
        """Whenever the worker ends, start it again."""
        loop = asyncio.get_running_loop()
        delay = 0.0
        while True:
            began = loop.time()
            ending = await self._outlive(worker_id)
            delay = restart_delay(delay, loop.time() - began)
            log.warning("worker %d %s; it is started again in %g s", worker_id, ending, delay)
            await asyncio.sleep(delay)
            self._restarts += 1

    async def _outlive(self, worker_id: int) -> str:
        """Wait for the end of the worker, which is started if there is none. How it ended."""
        if worker_id not in self._workers:
            try:
                await self._spawn(worker_id)
            except StartError as error:
                return str(error)
        worker = self._workers[worker_id]
        ending = await worker.wait()
        self._ledger.on_ended(worker_id)
        del self._workers[worker_id]
        # Its counts stay: a sum that fell would look like a restart of everything, and its rate like a spike.
        self._departed = merge([self._departed, lasting(worker.last_samples)])
        return f"ended with {ending}"

    async def reload(self, config: Config, sockets: NewSockets) -> list[str]:
        """See ``Crew``. Workers that are started later go by it too."""
        self._config = config
        workers = list(self._workers.values())
        troubles = await asyncio.gather(*(self._reload(worker, config) for worker in workers))
        return [trouble for trouble in troubles if trouble]

    async def _reload(self, worker: WorkerProcess, config: Config) -> str:
        """Have one worker go by ``config``; what went wrong, in a line, empty if nothing did."""
        kept = kept_sockets(worker.config, config)
        sockets = self._sockets.of_worker[worker.worker_id]
        try:
            await worker.reload(config, {name: sock for name, sock in sockets.items() if name not in kept})
        except ControlError as error:
            return f"worker {worker.worker_id} goes on with the old configuration: {error}"
        return ""

    async def drain(self, heirs: Sequence[socket.socket] = ()) -> None:
        """Have every worker drain; one that has not ended well after the drain time-out is killed."""
        for keeper in self._keepers:
            keeper.cancel()
        told = list(self._workers.values())
        for worker in told:
            worker.begin_drain(heirs)  # before anything is awaited: a second signal ends this process at any time
        await asyncio.wait(self._keepers)
        self._sockets.close()
        workers = list(self._workers.values())
        for worker in workers:
            if worker not in told:
                worker.begin_drain()
        try:
            async with asyncio.timeout(self._config.drain_timeout + _DRAIN_GRACE):
                await asyncio.gather(*(worker.wait() for worker in workers))
        except TimeoutError:
            log.warning("not every worker ended within the drain time-out: the others are killed")
            await asyncio.gather(*(worker.kill() for worker in workers))
        self._ledger.close()

    async def ask(self, question: str) -> dict[int, Any]:
        """The answers by worker id; a worker that gives none in time is left out."""
        return await _answers_of(self._workers, {"question": question}, OPERATORS_WAIT)

    def _on_request(self, worker: WorkerProcess, message: Message) -> None:
        """A worker asks all others, or tells one of them something."""
        if "ask" in message:
            task = asyncio.create_task(self._relay(worker, message))
            self._relaying.add(task)
            task.add_done_callback(self._relaying.discard)
        elif message["tell"] in self._workers:
            self._workers[message["tell"]].tell({"question": "told", "argument": message["argument"]})

    async def _relay(self, asker: WorkerProcess, message: Message) -> None:
        """Bring ``asker`` the answers of the other workers."""
        others = {worker_id: worker for worker_id, worker in self._workers.items() if worker is not asker}
        question = {"question": "crew", "number": next(self._numbers), "argument": message["argument"]}
        answers = await _answers_of(others, question, ANSWER_WITHIN)
        asker.tell({"question": "answers", "number": message["ask"], "answers": list(answers.values())})

    async def samples(self) -> list[Sample]:
        """The metrics of all processes; of a worker that does not answer, and of ended ones, what they counted last."""
        workers = dict(self._workers)
        answers = await self.ask("samples")
        samples = [
            *process_samples(),
            *crew_samples(configured=self._config.workers, alive=len(answers), restarts=self._restarts),
            *self._departed,
        ]
        for worker_id, worker in workers.items():
            if worker_id in answers:
                worker.last_samples = from_json(answers[worker_id])
                samples += worker.last_samples
            else:
                samples += lasting(worker.last_samples)
        return samples


async def _answers_of(workers: dict[int, WorkerProcess], question: Message, seconds: float) -> dict[int, Any]:
    workers = dict(sorted(workers.items()))
    answers = await asyncio.gather(*(_answer_of(worker, question, seconds) for worker in workers.values()))
    return {worker_id: answer[0] for worker_id, answer in zip(workers, answers, strict=True) if answer}


async def _answer_of(worker: WorkerProcess, question: Message, seconds: float) -> list[Any]:
    """The worker's answer, in a list that is empty if there is none."""
    try:
        return [await worker.ask(question, seconds)]
    except ControlError as error:
        log.warning("worker %d, asked for %s: %s", worker.worker_id, question["question"], error)
        return []
