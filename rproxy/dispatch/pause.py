"""The clients of a listener whose commands wait (CLIENT PAUSE)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rproxy.commands.spec import CommandSpec
from rproxy.dispatch.command import Command
from rproxy.dispatch.session import Session, State

_LONGEST = 365 * 86400.0
"""Seconds of a pause: one for longer than a year ends after a year."""


class Pause:
    """The pause of one listener at this worker. ``carry_on`` takes a command that has waited on to its plan."""

    __slots__ = ("_ends_at", "_is_all", "_timer", "_waiting", "carry_on")

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[Command, Callable[[], None]]] = {}
        self.carry_on: Callable[[Command], None] = lambda command: None
        self._ends_at = 0.0
        self._is_all = False
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, seconds: float, is_all: bool, on_end: Callable[[], None]) -> None:
        """Pause; of two pauses at once, the longer time and the stricter mode count."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + min(seconds, _LONGEST)
        if self._timer is not None:
            self._timer.cancel()
            ends_at, is_all = max(ends_at, self._ends_at), is_all or self._is_all
        self._ends_at, self._is_all = ends_at, is_all
        self._timer = loop.call_at(ends_at, on_end)

    def rest(self) -> tuple[float, bool] | None:
        """The seconds that are left, and whether all commands wait; ``None`` without a pause."""
        if self._timer is None:
            return None
        return max(self._ends_at - asyncio.get_running_loop().time(), 0.0), self._is_all

    def end(self) -> None:
        """Let every client go on, in the order in which they came to wait."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        waiting = list(self._waiting.values())
        self._waiting.clear()
        for command, forget in waiting:
            command.session.at_close.discard(forget)
            command.session.release()
            self.carry_on(command)

    def hold(self, command: Command) -> None:
        """Have ``command`` wait, and its client, unless that leaves."""
        number = command.session.id

        def forget() -> None:
            self._waiting.pop(number, None)

        self._waiting[number] = command, forget
        command.session.at_close.add(forget)
        command.session.hold()

    def watch(self, session: Session) -> None:
        """Have the commands of a client that has just come looked at, if there is a pause."""
        if self._timer is not None:
            session.enter(State.PAUSED)

    def concerns(self, command: Command) -> bool:
        """Whether ``command`` has to wait."""
        if self._timer is None:
            return False
        transaction = command.session.transaction
        if command.spec.name == b"EXEC" and transaction is not None:
            return self._is_all or any(may_write(queued.spec) for queued in transaction.queued)
        return self._is_all or may_write(command.spec)


def may_write(spec: CommandSpec) -> bool:
    """Whether a command may change what replicas hold: PFCOUNT may, as it keeps what it counted."""
    return spec.is_write or spec.name == b"PFCOUNT"
