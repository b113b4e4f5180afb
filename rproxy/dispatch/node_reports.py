"""Commands whose replies are reports of the nodes about themselves: asked of all primaries, told as of one server."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.parts import Target, send_to_all
from rproxy.resp import encode
from rproxy.resp.decode import decode
from rproxy.routing.assembler import MISMATCH, first_error
from rproxy.routing.node_reports import REPORTS

_TELLING = {b"LATENCY|GRAPH"}
"""Commands of which an error of some shards says only that these have nothing to tell."""


def report(command: Command, context: Context, targets: Sequence[Target]) -> None:
    """Ask all primaries and merge what they say."""
    name = command.spec.name

    def finish(replies: list[bytes]) -> bytes:
        told = [reply for reply in replies if not reply.startswith(b"-")]
        failure = first_error(replies)
        if failure is not None and not (told and name in _TELLING):
            return failure
        try:
            return encode.reply(REPORTS[name]([decode(reply) for reply in told]), command.session.protocol)
        except (TypeError, ValueError):
            return MISMATCH

    send_to_all(command, context, targets, finish)


SPECIAL: dict[bytes, Callable[[Command, Context, Sequence[Target]], None]] = dict.fromkeys(REPORTS, report)
"""The commands of ``routing.node_reports``."""
