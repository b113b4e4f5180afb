"""A worker as its supervisor sees it: a process of its own, and the questions put to it.

It is a fresh interpreter that inherits its listening sockets, not a fork: a worker is started again at any time, when
the supervisor has a loop, threads and connections that a forked child must not touch; and a fresh worker does not carry
the memory of prometheus_client.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import rproxy
from rproxy.config.models import Config
from rproxy.errors import StartError
from rproxy.metrics.samples import Sample
from rproxy.server import parcels
from rproxy.server.control import Channel, ControlError, Message, Questioner, StartQuestion, config_text

START_WITHIN = 30.0
"""Seconds a worker has to open its listeners."""
RELOAD_WITHIN = 30.0
"""Seconds a worker has to take over another configuration."""
OnRequest = Callable[["WorkerProcess", Message], None]
_PACKAGES = Path(rproxy.__file__).parents[1]


def worker_command() -> list[str]:
    """The command of a worker process, without the descriptor of its control channel.

    Python puts the working directory first on the path (``-P`` forbids it), where another rproxy may stand than ours.
    """
    isolation = [] if Path.cwd() == _PACKAGES else ["-P"]
    return [sys.executable, *isolation, "-m", "rproxy.server.worker_main"]


class WorkerProcess:
    """One worker process. Make it with ``spawn``. ``last_samples`` is for its supervisor to remember them.

    ``config`` is what it goes by.
    """

    def __init__(
        self,
        start: StartQuestion,
        process: asyncio.subprocess.Process,
        channel: Channel,
        parcel_end: socket.socket,
        on_request: OnRequest | None,
    ) -> None:
        self.worker_id = start.worker_id
        self.config = start.config
        self.last_samples: list[Sample] = []
        self._parcel_end = parcel_end
        self._reloads = itertools.count()
        self._process = process
        self._questioner = Questioner(channel, partial(on_request, self) if on_request is not None else None)
        self._channel = channel
        self._listening = asyncio.create_task(self._questioner.listen())

    @classmethod
    async def spawn(
        cls, start: StartQuestion, command: Sequence[str], on_request: OnRequest | None = None
    ) -> WorkerProcess:
        """A worker that serves clients. Raises ``StartError`` if it does not come to that.

        ``on_request`` takes what it wants of the other workers.
        """
        ours, theirs = socket.socketpair()
        parcel_end, their_parcel_end = parcels.pair()
        parcel_end.setblocking(False)
        with theirs, their_parcel_end:
            inherited = [theirs.fileno(), their_parcel_end.fileno(), *start.descriptors()]
            process = await asyncio.create_subprocess_exec(
                *command,
                str(theirs.fileno()),
                str(their_parcel_end.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=inherited,
                start_new_session=True,  # Ctrl-C is the supervisor's to handle
            )
        worker = cls(start, process, await Channel.open(ours), parcel_end, on_request)
        try:
            await worker._questioner.ask(start.message(), START_WITHIN)
        except BaseException as error:
            await worker.kill()
            if isinstance(error, ControlError):
                raise StartError(f"worker {start.worker_id} did not start: {error}") from None
            raise
        return worker

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def ask(self, question: Message, seconds: float) -> Any:
        """The answer to ``question``. Raises ``ControlError`` if there is none within ``seconds``."""
        return await self._questioner.ask(question, seconds)

    def tell(self, message: Message) -> None:
        """Send what has no answer; dropped if the worker hangs."""
        if self._channel.has_room():
            self._channel.send(message)

    async def reload(self, config: Config, sockets: dict[str, socket.socket]) -> None:
        """Have it go by ``config``, with the ``sockets`` that it has not. Raises ``ControlError`` if it does not."""
        try:
            parcels.send(self._parcel_end, sockets)
        except OSError as error:
            raise ControlError(f"the listening sockets cannot be sent: {error.strerror}") from None
        message = {"question": "reload", "number": next(self._reloads), "sockets": len(sockets)}
        await self.ask({**message, "config": config_text(config)}, RELOAD_WITHIN)
        self.config = config

    def begin_drain(self, heirs: Sequence[socket.socket] = ()) -> None:
        """Have it drain and end; its clients are handed over to the ``heirs``."""
        with suppress(OSError):  # it is gone
            parcels.send(self._parcel_end, {str(number): heir for number, heir in enumerate(heirs)})
        self._channel.send({"question": "drain", "heirs": len(heirs)})

    async def wait(self) -> str:
        """How it ended: ``exit status 1`` or ``SIGKILL``."""
        status = await self._process.wait()
        await asyncio.wait([self._listening])
        await self._channel.close()
        self._parcel_end.close()
        return f"exit status {status}" if status >= 0 else signal.Signals(-status).name

    async def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self.wait()
