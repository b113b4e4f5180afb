"""MONITOR: the commands of all workers are shown to the clients that monitor; each worker tells those that have any.

The form of a line is that of ``replicationFeedMonitors`` in Redis's ``replication.c``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from rproxy.commands.spec import Transaction
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.crew import Answers, ask_all
from rproxy.dispatch.session import State
from rproxy.resp import encode
from rproxy.resp.escape import quoted

_UNSHOWN = frozenset({"skip_monitor", "admin"})
_REDACTED = b"(redacted)"
_MONITOR_FLAG = "O"
"""Of a client that monitors, in CLIENT LIST."""


def gate(command: Command, context: Context) -> bool:
    """Show a command, unless it is one of a transaction, or its EXEC: these are shown when they are executed."""
    is_queued = State.IN_TRANSACTION in command.session.states and command.spec.transaction is not Transaction.IMMEDIATE
    if not is_queued and command.spec.name != b"EXEC":
        show(command, context)
    return False


def show_transaction(queued: Sequence[Command], execute: Command, context: Context) -> None:
    """Show what an EXEC has executed, and the EXEC."""
    if State.MONITORED in execute.session.states:
        for command in (*queued, execute):
            show(command, context)


def show(command: Command, context: Context) -> None:
    """Show a command that may be shown to every client that monitors, at whichever worker."""
    if _UNSHOWN & command.spec.flags:
        return
    words = b" ".join(quoted(word) for word in redacted(command.args))
    line = b"+%.6f [0 %b] %b\r\n" % (time.time(), command.session.address.encode(), words)
    for worker_id in list(context.monitors.audience):
        context.crew.tell(worker_id, "monitored", line.decode("latin-1"))


def redacted(args: list[bytes]) -> list[bytes]:
    """The arguments without the passwords in them."""
    name = args[0].upper()
    if name == b"AUTH":
        return [args[0], *([_REDACTED] * (len(args) - 1))]
    secrets = {b"HELLO": {b"AUTH": 2}, b"MIGRATE": {b"AUTH": 1, b"AUTH2": 2}}.get(name, {})
    shown, hidden = [], 0
    for word in args:
        shown.append(_REDACTED if hidden else word)
        hidden = hidden - 1 if hidden else secrets.get(word.upper(), 0)
    return shown


# -- MONITOR


def monitor(command: Command, context: Context) -> None:
    """MONITOR."""
    session, monitors, crew = command.session, context.monitors, context.crew

    def leave() -> None:
        session.marks.discard(_MONITOR_FLAG)
        if monitors.here.pop(session.id, None) is not None:
            crew.ask("audience", [crew.worker_id, len(monitors.here)], _ignore)

    if session.id not in monitors.here:
        session.marks.add(_MONITOR_FLAG)
        session.at_close.add(leave)
        monitors.here[session.id] = session
    ask_all(command, crew, "audience", [crew.worker_id, len(monitors.here)], lambda _: encode.OK)


def _ignore(answers: Answers) -> None:
    """A worker that did not hear of it shows in vain: who has no monitors drops the line."""


def set_audience(argument: Any, context: Context) -> None:
    """A worker says how many of its clients monitor."""
    worker_id, count = argument
    context.monitors.set_audience(worker_id, count, context.sessions.values())


def take_line(argument: Any, context: Context) -> None:
    """A worker shows a command to the monitors of this one."""
    for session in list(context.monitors.here.values()):
        if session.client is not None:
            session.client.push(str(argument).encode("latin-1"))


HANDLERS: dict[bytes, Callable[[Command, Context], None]] = {b"MONITOR": monitor}
QUESTIONS: dict[str, Callable[[Any, Context], Any]] = {"audience": set_audience, "monitored": take_line}
