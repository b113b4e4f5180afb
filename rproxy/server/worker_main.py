"""The process of one worker under a supervisor: ``python -m rproxy.server.worker_main FD FD``.

The first ``FD`` is its end of the control channel. Configuration and listening sockets come through there, so that no
secret stands on a command line; further listening sockets through the second.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence

import uvloop

from rproxy.errors import RproxyError
from rproxy.server import parcels
from rproxy.server.control import Channel, Message, StartQuestion, answer, config_of
from rproxy.server.crew import MakeWorker, WorkerLike, answers_of, drain
from rproxy.server.link import WorkerLink
from rproxy.server.logs import set_log_level, set_up_logs

log = logging.getLogger("rproxy.reload")


def main(make_worker: MakeWorker) -> None:
    """Be the worker process that the command line asks for."""
    for number in (signal.SIGHUP, signal.SIGUSR2):  # who sends them to all processes of a service means the supervisor
        signal.signal(number, signal.SIG_IGN)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        control, parcel_end = (socket.socket(fileno=int(argument)) for argument in sys.argv[1:3])
        runner.run(run_worker(control, parcel_end, make_worker))


async def run_worker(control: socket.socket, parcel_end: socket.socket, make_worker: MakeWorker) -> None:
    """Be a worker until told to drain, or until the supervisor is gone."""
    channel = await Channel.open(control)
    messages = channel.messages()
    try:
        first = await anext(messages, None)
        if first is not None:
            await _live(channel, messages, StartQuestion.read(first), parcel_end, make_worker)
    finally:
        parcel_end.close()
        await channel.close()


async def _live(
    channel: Channel,
    messages: AsyncIterator[Message],
    start: StartQuestion,
    parcel_end: socket.socket,
    make_worker: MakeWorker,
) -> None:
    """Start a worker and answer for it until the end of the channel."""
    set_up_logs(start.config.log_level, f"worker {start.worker_id}")
    try:
        worker = make_worker(start.config, start.sockets, worker_id=start.worker_id)
        if start.share is not None:
            worker.share(start.share)
        if start.inbox is not None:
            worker.inherit(start.inbox)
        link = WorkerLink(channel)
        worker.join(link)
        await worker.start()
    except RproxyError as error:
        channel.send({"question": "start", "error": str(error)})
        return
    service = _Service(channel, worker, link, parcel_end, start.config.drain_timeout)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, service.begin_drain)
    channel.send({"question": "start", "answer": True})
    await service.answer_all(messages)


class _Service:
    """Answers for a worker that runs, and drains it once."""

    def __init__(
        self, channel: Channel, worker: WorkerLike, link: WorkerLink, parcel_end: socket.socket, drain_timeout: float
    ) -> None:
        self._channel = channel
        self._worker = worker
        self._link = link
        self._answers = answers_of(worker)
        self._drain_timeout = drain_timeout
        self._parcel_end = parcel_end
        self._draining: asyncio.Task[None] | None = None
        self._reloading: asyncio.Task[None] | None = None

    def begin_drain(self, heirs: Sequence[socket.socket] = ()) -> None:
        """Drain, then end the channel, with which ``answer_all`` ends."""
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain_and_close(heirs))

    def _received(self, count: int) -> list[socket.socket]:
        """The ends of the heirs, as far as they have come."""
        try:
            return list(parcels.receive(self._parcel_end, count).values())
        except OSError:
            log.exception("the clients cannot be handed over")
            return []

    async def _drain_and_close(self, heirs: Sequence[socket.socket]) -> None:
        await drain(self._worker, self._drain_timeout, heirs)
        await self._channel.close()

    async def answer_all(self, messages: AsyncIterator[Message]) -> None:
        """Answer until the end of the channel.

        If it is the supervisor that went, clients still get what is in flight; but one that goes during the drain
        wants an end at once.
        """
        async for message in messages:
            if message["question"] == "drain":
                self.begin_drain(self._received(message.get("heirs", 0)))
            elif message["question"] == "reload":
                self._reloading = asyncio.create_task(self._reload(message))
            elif message["question"] == "answers":
                self._link.on_answers(message)
            else:
                self._answer(message)
        if self._draining is None:
            await drain(self._worker, self._drain_timeout)

    async def _reload(self, message: Message) -> None:
        """Take over another configuration; the supervisor asks for one at a time."""
        reply: Message = {"question": "reload", "number": message["number"]}
        try:
            config = config_of(message["config"])
            await self._worker.reload(config, parcels.receive(self._parcel_end, message["sockets"]))
            self._drain_timeout = config.drain_timeout
            set_log_level(config.log_level)
            reply["answer"] = True
        except Exception as error:  # whatever it is, the worker's clients come first
            log.exception("the new configuration could not be taken over")
            reply["error"] = f"{type(error).__name__}: {error}"
        self._channel.send(reply)

    def _answer(self, message: Message) -> None:
        """Answer the supervisor, or another worker, unless it only tells something."""
        question = message["question"]
        if question not in ("crew", "told"):
            self._channel.send(answer(question, self._answers))
            return
        reply = answer(question, {question: lambda: self._worker.answer(**message["argument"])})
        if question == "crew":
            self._channel.send({**reply, "number": message["number"]})


if __name__ == "__main__":
    from rproxy.server.worker import Worker

    main(Worker)
