"""COMMAND DOCS: a node's own documentation of what rproxy supports; rproxy's own where no node gives any."""

from __future__ import annotations

from rproxy.commands import describe
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.parts import FanOutReply
from rproxy.resp import encode
from rproxy.upstream.request import Request


def command_docs(command: Command, context: Context) -> bytes | None:
    """COMMAND DOCS [name ...], asked of any shard."""
    names = describe.documented(command.args[2:], context.catalog)
    own = encode.reply(describe.docs(names, context.catalog), command.session.protocol)
    cluster = context.keyless_route().cluster
    if not names or not cluster.topology.covered:
        return own

    def finish(replies: list[bytes]) -> bytes:
        """Redis 6 has no COMMAND DOCS, and a node may be down."""
        return own if replies[0].startswith(b"-") else replies[0]

    sink = FanOutReply(command, 1, finish)
    question = encode.command([b"COMMAND", b"DOCS", *names])
    now = cluster.turn.now
    cluster.submit(Request(question, sink, 0, None, cluster.any_slot(), True, command.session.affinity, now))
    return None


HANDLERS = {b"COMMAND|DOCS": command_docs}
"""The handler of COMMAND DOCS, by name in the command table."""
