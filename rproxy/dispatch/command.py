"""A command off the fast path: one that rproxy has to understand before it knows where it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rproxy.commands.spec import CommandSpec
from rproxy.dispatch.session import Session
from rproxy.upstream.sink import Sink

if TYPE_CHECKING:
    pass


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
