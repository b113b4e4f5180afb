"""A command off the fast path: one that rproxy has to understand before it knows where it goes."""

from __future__ import annotations

from dataclasses import dataclass

from rproxy.commands.spec import CommandSpec
from rproxy.dispatch.session import Session
from rproxy.resp import encode
from rproxy.upstream.sink import Sink


@dataclass(slots=True)
class Command:
    """What a client asked. ``data`` is the command as it is forwarded; the reply goes to ``sink`` at ``token``."""

    spec: CommandSpec
    args: list[bytes]
    data: bytes
    session: Session
    sink: Sink
    token: int

    def reply(self, data: bytes) -> None:
        """Answer with the encoded reply ``data``."""
        self.sink.deliver(self.token, data, 0, len(data))

    def reject(self, text: str) -> None:
        """Answer with an error before anything is done."""
        self.reply(refusal(self.spec, self.session, encode.error(text)))


def refusal(spec: CommandSpec | None, session: Session, line: bytes) -> bytes:
    """The reply to a command that is refused with ``line`` before anything is done: its transaction is spoilt, or ends.

    See ``rejectCommand`` in Redis's ``server.c``.
    """
    if spec is None or spec.name != b"EXEC":
        session.spoil()
        return line
    session.discard()
    return b"-EXECABORT Transaction discarded because of: " + line.removeprefix(b"-").removeprefix(b"ERR ")


def wrong_usage(command: Command) -> bytes:
    """The error reply of a subcommand that takes fewer arguments than its arity allows."""
    container, subcommand = command.args[0].upper(), command.args[1][:128]
    shown = f"{subcommand.decode('latin-1')}'. Try {container.decode()} HELP."
    return encode.error(f"ERR unknown subcommand or wrong number of arguments for '{shown}")
