"""``rproxy serve``: from a configuration to an exit status."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import sys
from functools import partial

import uvloop

from rproxy import __version__
from rproxy.config.models import Config
from rproxy.config.source import ConfigFile
from rproxy.errors import StartError
from rproxy.form import running_form
from rproxy.server import parcels
from rproxy.server.crew import Crew, CrewSource, SoleWorker
from rproxy.server.logs import set_log_level, set_up_logs
from rproxy.server.operators import ADMIN, Operators
from rproxy.server.reloader import Reloader
from rproxy.server.service_manager import tell
from rproxy.server.signals import Signals
from rproxy.server.sockets import ListeningSockets, Take, listen, no_one, purpose_of
from rproxy.server.succession import Predecessor


def run(config: Config, file: ConfigFile | None = None) -> int:
    """Serve until SIGTERM or SIGINT, drain, and return the exit status. Raises ``StartError`` in one line.

    A second signal ends the process at once. SIGHUP, or a change of ``file`` from which ``config`` was read, has that
    read again.
    """
    set_up_logs(config.log_level)
    raise_descriptor_limit()
    with contextlib.ExitStack() as listening, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config, file, listening))
    return 0


def raise_descriptor_limit() -> None:
    """Let this process and its workers have as many descriptors as the system allows: each client takes one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS refuses what it calls unlimited
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def announcement(addresses: list[str], admin: str | None) -> str:
    """The line that says where rproxy listens."""
    line = f"rproxy {__version__} ({running_form()}) listening on {', '.join(addresses)}"
    return f"{line}, admin on {admin}" if admin else line


async def _serve(config: Config, file: ConfigFile | None, listening: contextlib.ExitStack) -> None:
    signals = Signals()  # first: who finds the port open may send a signal
    predecessor = Predecessor.find()
    take = predecessor.take if predecessor is not None else no_one
    admin = _admin_socket(config, take)
    if admin is not None:
        listening.enter_context(admin)
    sockets = listening.enter_context(ListeningSockets(config, take))
    pairs = [parcels.pair() for _ in range(config.workers)] if predecessor is not None else []
    crew = _crew(config, sockets, [inbox for inbox, _ in pairs])
    source = CrewSource(crew, config)
    await crew.start()
    async with Operators(config.admin, source, admin) as operators:
        reloader = Reloader(config, file, partial(_apply, sockets, crew, operators, source))
        source.more_samples = reloader.samples
        if predecessor is not None:
            await _succeed(predecessor, source, [heir for _, heir in pairs])
        sys.stdout.write(f"{announcement(sockets.addresses, operators.url)}\n")
        sys.stdout.flush()
        reloader.start()
        tell("READY=1")
        heirs = await signals.wait(reloader.on_signal, lambda: {**sockets.to_hand_over(), **operators.to_hand_over()})
        source.is_draining = True
        await reloader.stop()
        if heirs:
            sockets.give_away()
            await operators.adopt(None, None)
        else:
            tell("STOPPING=1")
        await crew.drain(heirs)


def _admin_socket(config: Config, take: Take) -> socket.socket | None:
    if config.admin is None:
        return None
    taken = take(purpose_of(ADMIN, config.admin.address))
    return taken[0] if taken else listen(config.admin.address)


async def _succeed(predecessor: Predecessor, source: CrewSource, heirs: list[socket.socket]) -> None:
    """Take the place of another rproxy. Raises ``StartError`` if this one could not serve its clients."""
    is_ready, reason = await source.readiness()
    if not is_ready:
        raise StartError(f"not ready to take the place of another rproxy: {reason}")
    predecessor.tell_ready(heirs)


async def _apply(
    sockets: ListeningSockets, crew: Crew, operators: Operators, source: CrewSource, config: Config
) -> list[str]:
    """Put ``config`` in force. See ``reloader.Apply``: what may fail comes first."""
    admin = operators.open_new(config.admin)
    try:
        new = sockets.open_new(config)
    except StartError:
        if admin is not None:
            admin.close()
        raise
    sockets.adopt(config, new)
    troubles = await crew.reload(config, new)
    sockets.close_unused()
    await operators.adopt(config.admin, admin)
    source.config = config
    set_log_level(config.log_level)
    return troubles


def _crew(config: Config, sockets: ListeningSockets, inboxes: list[socket.socket]) -> Crew:
    """One worker in this process, or several under a supervisor. What only one of them needs is imported there."""
    if config.workers == 1:
        from rproxy.server.worker import Worker

        worker = Worker(config, sockets.of_worker[0])
        for inbox in inboxes:
            worker.inherit(inbox)
        return SoleWorker(worker, config.drain_timeout)
    from rproxy.server.supervisor import Supervisor
    from rproxy.server.worker_process import worker_command

    return Supervisor(config, sockets, worker_command(), inboxes)
