"""The HELP subcommand of every container."""

from __future__ import annotations

from rproxy.commands.help import help_of
from rproxy.commands.help_texts import HELP_TEXTS
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.resp import encode


def answer(command: Command, context: Context) -> bytes:
    """The subcommands that are supported, a line each as a simple string."""
    container = context.commands.get(command.args[0])
    return encode.reply(help_of(container), command.session.protocol)


HANDLERS = {f"{container}|HELP".encode(): answer for container in HELP_TEXTS}
"""The handler of each HELP, by name in the command table."""
