"""Commands that rproxy answers itself, so that it looks like one Redis server to every client library.

The texts are Redis's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rproxy.commands import describe
from rproxy.commands.lookup import CommandError
from rproxy.dispatch import (
    acl,
    authentication,
    client_options,
    client_pause,
    clients,
    command_docs,
    info,
    monitor,
    one_node,
    own_reports,
    pubsub,
    pubsub_info,
    server_config,
    slowlog,
    subcommand_help,
    transaction,
)
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.resp import encode
from rproxy.resp.integer import integer_of

Handler = Callable[[Command, Context], bytes | None]
"""Returns the encoded reply, or ``None`` if it replies later."""

NAME_REFUSED = encode.error("ERR Client names cannot contain spaces, newlines or special characters.")
_PRINTABLE = range(0x21, 0x7F)
_DATABASES = 16
"""So many has a server that is no cluster's, by default."""
_INTS = range(-(1 << 31), 1 << 31)


def ping(command: Command, context: Context) -> bytes:
    """PING [message]."""
    if len(command.args) > 2:
        return encode.error("ERR wrong number of arguments for 'ping' command")
    return encode.bulk(command.args[1]) if len(command.args) == 2 else encode.PONG


def echo(command: Command, context: Context) -> bytes:
    """ECHO message."""
    return encode.bulk(command.args[1])


def leave(command: Command, context: Context) -> bytes:
    """QUIT."""
    command.session.quit()
    return encode.OK


def select(command: Command, context: Context) -> bytes:
    """SELECT 0: a cluster has one database."""
    try:
        number = integer_of(command.args[1])
    except ValueError as wrong:
        return encode.error(f"ERR {wrong}")
    if number not in _INTS:
        return encode.error(f"ERR value is out of range, value must between {_INTS[0]} and {_INTS[-1]}")
    if not 0 <= number < _DATABASES:
        return encode.error("ERR DB index is out of range")
    return encode.OK if number == 0 else encode.error("ERR SELECT is not allowed in cluster mode")


def server_time(command: Command, context: Context) -> bytes:
    """TIME: seconds and microseconds, of the proxy."""
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return encode.reply([b"%d" % seconds, b"%d" % microseconds])


def accept(command: Command, context: Context) -> bytes:
    """Commands that change nothing here: where a read goes is the read policy's decision, not the client's."""
    return encode.OK


def hello(command: Command, context: Context) -> bytes:
    """HELLO [2 | 3 [AUTH user password] [SETNAME name]]: the RESP version of this client from now on."""
    session = command.session
    protocol = session.protocol
    if len(command.args) > 1:
        try:
            protocol = integer_of(command.args[1])
        except ValueError:
            return encode.error("ERR Protocol version is not an integer or out of range")
        if protocol not in (2, 3):
            return encode.error("NOPROTO unsupported protocol version")
    refusal = _hello_options(command, context, command.args[2:])
    if refusal is not None:
        return refusal
    session.speak(protocol)
    if session.subscriber is not None:
        session.subscriber.settle_state()
    facts: dict[bytes, encode.Value] = {
        b"server": context.server.name.encode(),
        b"version": context.server.version.encode(),
        b"proto": protocol,
        b"id": session.id,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": context.server.modules,
    }
    return encode.reply(facts, protocol)


def _hello_options(command: Command, context: Context, options: list[bytes]) -> bytes | None:
    """Apply the options of HELLO; the error if one is wrong, or the client has yet to authenticate."""
    credentials: list[bytes] | None = None
    name: bytes | None = None
    position = 0
    while position < len(options):
        option = options[position].upper()
        if option == b"SETNAME" and position + 1 < len(options):
            name = options[position + 1]
            if not _is_printable(name):
                return NAME_REFUSED
            position += 2
        elif option == b"AUTH" and position + 2 < len(options):
            credentials = options[position + 1 : position + 3]
            position += 3
        else:
            return encode.error(f"ERR Syntax error in HELLO option '{options[position].decode(errors='replace')}'")
    refusal = authentication.greet(command, context, credentials)
    if refusal is None and name is not None:
        command.session.name = name
    return refusal


def _is_printable(text: bytes) -> bool:
    return all(byte in _PRINTABLE for byte in text)


def _set_name(command: Command, name: bytes) -> bytes | None:
    """Name the client; the error if the name has blanks or control characters."""
    if not _is_printable(name):
        return NAME_REFUSED
    command.session.name = name
    return None


def client_set_name(command: Command, context: Context) -> bytes:
    """CLIENT SETNAME name."""
    return _set_name(command, command.args[2]) or encode.OK


def client_get_name(command: Command, context: Context) -> bytes:
    """CLIENT GETNAME."""
    return encode.reply(command.session.name or None, command.session.protocol)


def client_id(command: Command, context: Context) -> bytes:
    """CLIENT ID."""
    return encode.integer(command.session.id)


def client_set_info(command: Command, context: Context) -> bytes:
    """CLIENT SETINFO LIB-NAME | LIB-VER value."""
    attribute, value = command.args[2].upper(), command.args[3]
    shown = attribute.decode(errors="replace").lower()
    if attribute not in (b"LIB-NAME", b"LIB-VER"):
        return encode.error(f"ERR Unrecognized option '{command.args[2].decode(errors='replace')}'")
    if not _is_printable(value):
        return encode.error(f"ERR {shown} cannot contain spaces, newlines or special characters.")
    if attribute == b"LIB-NAME":
        command.session.library_name = value
    else:
        command.session.library_version = value
    return encode.OK


def reset(command: Command, context: Context) -> bytes:
    """RESET: back to RESP2, no name, and the default user."""
    client_options.unmute(command)
    command.session.let_go()
    command.session.name = b""
    command.session.speak(2)
    authentication.begin(command.session, context.users)
    return encode.simple("RESET")


def describe_commands(command: Command, context: Context) -> bytes:
    """COMMAND and its subcommands."""
    try:
        return encode.reply(describe.answer(command.args, context.catalog), command.session.protocol)
    except CommandError as refused:
        return refused.line


def execute_transaction(command: Command, context: Context) -> bytes | None:
    """EXEC."""
    return transaction.execute(command, context, answer)


LOCAL: dict[bytes, Handler] = {
    **info.HANDLERS,
    **clients.HANDLERS,
    **client_pause.HANDLERS,
    **client_options.HANDLERS,
    **monitor.HANDLERS,
    **slowlog.HANDLERS,
    **own_reports.HANDLERS,
    **server_config.HANDLERS,
    b"PING": ping,
    b"ECHO": echo,
    b"QUIT": leave,
    b"SELECT": select,
    b"TIME": server_time,
    b"HELLO": hello,
    b"ASKING": accept,
    b"READONLY": accept,
    b"READWRITE": accept,
    b"RESET": reset,
    b"COMMAND": describe_commands,
    b"COMMAND|COUNT": describe_commands,
    b"COMMAND|GETKEYS": describe_commands,
    b"COMMAND|GETKEYSANDFLAGS": describe_commands,
    b"COMMAND|INFO": describe_commands,
    b"COMMAND|LIST": describe_commands,
    b"CLIENT|SETNAME": client_set_name,
    b"CLIENT|GETNAME": client_get_name,
    b"CLIENT|ID": client_id,
    b"CLIENT|SETINFO": client_set_info,
    **subcommand_help.HANDLERS,
    **command_docs.HANDLERS,
    **one_node.HANDLERS,
    b"EXEC": execute_transaction,
    **transaction.HANDLERS,
    **acl.HANDLERS,
    **authentication.HANDLERS,
    **pubsub.HANDLERS,
    **pubsub_info.HANDLERS,
}
"""The handler of each local command, by its name in the command table."""


def answer(command: Command, context: Context) -> None:
    """Answer a local command."""
    name = command.spec.name
    context.local_commands[name.decode().lower()] += 1
    reply = LOCAL[name](command, context)
    if reply is not None:
        command.reply(reply)
