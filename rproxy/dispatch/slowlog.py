"""SLOWLOG: rproxy's own, of all workers. The texts are Redis's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rproxy.dispatch.command import Command, wrong_usage
from rproxy.dispatch.context import Context
from rproxy.dispatch.crew import Answers, ask_all
from rproxy.dispatch.monitor import redacted
from rproxy.resp import encode
from rproxy.resp.integer import integer_of
from rproxy.upstream.slow_log import SlowLog

_SHOWN = 10
_NO_COUNT = -2


def get(command: Command, context: Context) -> bytes | None:
    """SLOWLOG GET [count]: the newest first."""
    count = _SHOWN
    if len(command.args) > 3:
        return wrong_usage(command)
    if len(command.args) == 3:
        try:
            count = integer_of(command.args[2])
        except ValueError:
            count = _NO_COUNT
        if count < -1:
            return encode.error("ERR count should be greater than or equal to -1")

    def finish(answers: Answers) -> bytes:
        entries = sorted((entry for answer in answers for entry in answer), key=lambda entry: entry[1:2] + entry[:1])
        shown = entries[::-1] if count < 0 else entries[::-1][:count]
        return encode.reply([_shown(entry) for entry in shown], command.session.protocol)

    ask_all(command, context.crew, "slowlog", None, finish)
    return None


def _shown(entry: list[Any]) -> encode.Value:
    number, moment, microseconds, args, address, name = entry
    return [number, moment, microseconds, [_bytes(word) for word in args], _bytes(address), _bytes(name)]


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "replace")


def tell(argument: Any, context: Context) -> list[list[Any]]:
    """The entries of this worker. Their numbers are made different from other workers'."""
    size, offset = context.crew.size, context.crew.worker_id
    return [
        [
            entry.number * size + offset,
            entry.time,
            entry.microseconds,
            [word.decode("latin-1") for word in redacted(entry.args)],
            entry.address,
            entry.name.decode("latin-1"),
        ]
        for log in _logs(context)
        for entry in log.entries
    ]


def _logs(context: Context) -> list[SlowLog]:
    return [cluster.slow_log for cluster in context.clusters()]


def length(command: Command, context: Context) -> None:
    """SLOWLOG LEN."""
    ask_all(command, context.crew, "slowlog", None, lambda answers: encode.integer(sum(map(len, answers))))


def reset(command: Command, context: Context) -> None:
    """SLOWLOG RESET."""
    ask_all(command, context.crew, "slowlog reset", None, lambda _: encode.OK)


def forget(argument: Any, context: Context) -> None:
    """Forget the entries of this worker."""
    for log in _logs(context):
        log.entries.clear()


HANDLERS: dict[bytes, Callable[[Command, Context], bytes | None]] = {
    b"SLOWLOG|GET": get,
    b"SLOWLOG|LEN": length,
    b"SLOWLOG|RESET": reset,
}
QUESTIONS: dict[str, Callable[[Any, Context], Any]] = {"slowlog": tell, "slowlog reset": forget}
