"""CLIENT PAUSE and UNPAUSE: the commands of all clients of a listener wait, at all of its workers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rproxy.dispatch.command import Command, wrong_usage
from rproxy.dispatch.context import Context
from rproxy.dispatch.crew import ask_all
from rproxy.dispatch.session import State
from rproxy.resp import encode
from rproxy.resp.integer import integer_of

BAD_TIMEOUT = encode.error("ERR timeout is not an integer or out of range")
NEGATIVE = encode.error("ERR timeout is negative")
BAD_MODE = encode.error("ERR CLIENT PAUSE mode must be WRITE or ALL")
_IS_ALL = {b"WRITE": False, b"ALL": True}


def gate(command: Command, context: Context) -> bool:
    """Let a command wait until the pause is over; its client is held."""
    pause = context.pause
    if not pause.concerns(command):
        return False
    pause.hold(command)
    return True


def pause_here(argument: list[Any], context: Context) -> None:
    """Have commands at this worker wait for some seconds: all of them, or those that write."""
    seconds, is_all = argument
    context.pause.begin(seconds, is_all, partial(_unpause_here, None, context))
    for session in context.sessions.values():
        session.enter(State.PAUSED)


def _unpause_here(argument: None, context: Context) -> None:
    for session in context.sessions.values():
        session.leave(State.PAUSED)
    context.pause.end()


QUESTIONS: dict[str, Callable[[Any, Context], Any]] = {"pause": pause_here, "unpause": _unpause_here}


def client_pause(command: Command, context: Context) -> bytes | None:
    """CLIENT PAUSE milliseconds [WRITE | ALL]."""
    options = command.args[2:]
    if len(options) > 2:
        return wrong_usage(command)
    is_all = _IS_ALL.get(options[1].upper()) if len(options) == 2 else True
    if is_all is None:
        return BAD_MODE
    try:
        milliseconds = integer_of(options[0])
    except ValueError:
        return BAD_TIMEOUT
    if milliseconds < 0:
        return NEGATIVE
    ask_all(command, context.crew, "pause", [milliseconds / 1000, is_all], lambda answers: encode.OK)
    return None


def client_unpause(command: Command, context: Context) -> None:
    """CLIENT UNPAUSE."""
    ask_all(command, context.crew, "unpause", None, lambda answers: encode.OK)


HANDLERS: dict[bytes, Callable[[Command, Context], bytes | None]] = {
    b"CLIENT|PAUSE": client_pause,
    b"CLIENT|UNPAUSE": client_unpause,
}
