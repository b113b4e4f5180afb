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
        """Answer with an error before anything is done; EXEC then says that its transaction is lost."""
        self.session.spoil()
        prefix = "EXECABORT Transaction discarded because of: " if self.spec.name == b"EXEC" else ""
        self.reply(encode.error(prefix + text))
