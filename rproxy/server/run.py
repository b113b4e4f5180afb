"""``rproxy serve``: from a configuration to an exit status."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import sys
from collections.abc import Callable
from functools import partial

import uvloop

from rproxy import __version__
from rproxy.config.models import Config
from rproxy.config.source import ConfigFile
from rproxy.errors import StartError
from rproxy.form import running_form
from rproxy.server.crew import Crew, CrewSource, SoleWorker
from rproxy.server.logs import set_log_level, set_up_logs
from rproxy.server.operators import Operators
from rproxy.server.reloader import Reloader
from rproxy.server.sockets import ListeningSockets, listen


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
    stopping, reload_wanted = _stop_signal(), _reload_signal()  # first: who finds the port open may send a signal
    admin = listening.enter_context(listen(config.admin.address)) if config.admin is not None else None
    sockets = listening.enter_context(ListeningSockets(config))
    crew = _crew(config, sockets)
    source = CrewSource(crew, config)
    await crew.start()
    async with Operators(config.admin, source, admin) as operators:
        reloader = Reloader(config, file, partial(_apply, sockets, crew, operators, source))
        source.more_samples = reloader.samples
        reload_wanted.on_signal = reloader.on_signal
        sys.stdout.write(f"{announcement(sockets.addresses, operators.url)}\n")
        sys.stdout.flush()
        reloader.start()
        await stopping
        source.is_draining = True
        await reloader.stop()
        await crew.drain()


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


def _crew(config: Config, sockets: ListeningSockets) -> Crew:
    """One worker in this process, or several under a supervisor. What only one of them needs is imported there."""
    if config.workers == 1:
        from rproxy.server.worker import Worker

        return SoleWorker(Worker(config, sockets.of_worker[0]), config.drain_timeout)
    from rproxy.server.supervisor import Supervisor
    from rproxy.server.worker_process import worker_command

    return Supervisor(config, sockets, worker_command())


def _stop_signal() -> asyncio.Future[None]:
    """Done at the first SIGTERM or SIGINT; from then on they do what they do by default."""
    loop = asyncio.get_running_loop()
    stopping = loop.create_future()

    def on_signal() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stopping.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return stopping


class _ReloadSignal:
    """What SIGHUP does: nothing until there is something to read again, rather than end the process."""

    def __init__(self) -> None:
        self.on_signal: Callable[[], None] = lambda: None

    def call(self) -> None:
        """The signal has come."""
        self.on_signal()


def _reload_signal() -> _ReloadSignal:
    wanted = _ReloadSignal()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, wanted.call)
    return wanted
