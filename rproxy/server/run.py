"""``rproxy serve``: from a configuration to an exit status."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import socket
import sys
from contextlib import AbstractAsyncContextManager, nullcontext

import uvloop

from rproxy import __version__
from rproxy.config.certificates import Certificates
from rproxy.config.models import Config
from rproxy.form import running_form
from rproxy.server.crew import Crew, CrewSource, SoleWorker
from rproxy.server.logs import set_up_logs
from rproxy.server.sockets import ListeningSockets, address_of, listen


def run(config: Config) -> int:
    """Serve until SIGTERM or SIGINT, drain, and return the exit status. Raises ``StartError`` in one line.

    A second signal ends the process at once.
    """
    set_up_logs(config.log_level)
    raise_descriptor_limit()
    with contextlib.ExitStack() as listening, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config, listening))
    return 0


def raise_descriptor_limit() -> None:
    """Let this process and its workers have as many descriptors as the system allows: each client takes one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS refuses what it calls unlimited
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def announcement(addresses: list[str], admin: str | None, scheme: str = "http") -> str:
    """The line that says where rproxy listens."""
    line = f"rproxy {__version__} ({running_form()}) listening on {', '.join(addresses)}"
    return f"{line}, admin on {scheme}://{admin}" if admin else line


async def _serve(config: Config, listening: contextlib.ExitStack) -> None:
    stopping = _stop_signal()  # first: who finds the port open may send a signal
    admin = listening.enter_context(listen(config.admin.address)) if config.admin is not None else None
    sockets = listening.enter_context(ListeningSockets(config))
    crew = _crew(config, sockets)
    source = CrewSource(crew, config)
    await crew.start()
    tls = config.admin.tls if config.admin is not None else None
    async with _admin_server(source, admin, Certificates(tls, "admin") if tls is not None else None):
        scheme = "https" if tls is not None else "http"
        line = announcement(sockets.addresses, address_of(admin) if admin is not None else None, scheme)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        await stopping
        source.is_draining = True
        await crew.drain()


def _crew(config: Config, sockets: ListeningSockets) -> Crew:
    """One worker in this process, or several under a supervisor. What only one of them needs is imported there."""
    if config.workers == 1:
        from rproxy.server.worker import Worker

        return SoleWorker(Worker(config, sockets.of_worker[0]), config.drain_timeout)
    from rproxy.server.supervisor import Supervisor
    from rproxy.server.worker_process import worker_command

    return Supervisor(config, sockets, worker_command())


def _admin_server(
    source: CrewSource, listening: socket.socket | None, tls: Certificates | None
) -> AbstractAsyncContextManager[None]:
    if listening is None:
        return nullcontext()
    from rproxy.admin.server import admin_server

    return admin_server(source, listening, tls)


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
