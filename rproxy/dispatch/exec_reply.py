"""The reply to EXEC: the node's, with the replies of the commands that rproxy answers itself put in their places."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rproxy.dispatch.command import Command
from rproxy.resp import encode
from rproxy.resp.wire import Chunk, ReplyScanner
from rproxy.upstream.sink import Sink

Queued = tuple[int, Command]


class Captured(Sink):
    """Keeps the reply to one command."""

    __slots__ = ("reply",)

    def __init__(self) -> None:
        self.reply = b""

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
        """Keep the reply."""
        self.reply = bytes(chunk[start:end])


class ExecReply(Sink):
    """The sink of a transaction: remembers why it was not executed, and delivers its reply to the client's place.

    ``local`` holds the commands that rproxy answers itself, each with its index among all; ``answer`` answers one.
    """

    __slots__ = ("_answer", "_command", "_error", "_local")

    def __init__(self, command: Command, local: Sequence[Queued], answer: Callable[[Command], None]) -> None:
        self._command = command
        self._local = local
        self._answer = answer
        self._error = b""

    def absorb(self, token: int, line: bytes) -> None:
        """The first error in place of QUEUED is why EXEC is refused."""
        self._error = self._error or line

    def cause(self, line: bytes) -> bytes:
        """The error to follow if it is a redirection."""
        cause, self._error = self._error or line, b""
        return cause

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
        """Take the reply of the node."""
        self.finish(bytes(chunk[start:end]))

    def finish(self, reply: bytes) -> None:
        """Deliver ``reply``, the node's or an error, with the local replies in it."""
        if self._local and is_executed(reply):
            reply = encode.array(self._woven(elements_of(reply)))
        self._command.reply(reply)

    def _woven(self, elements: list[bytes]) -> list[bytes]:
        for index, queued in self._local:
            captured = Captured()
            queued.sink = captured
            self._answer(queued)
            name = queued.spec.name.decode().replace("|", " ")
            nothing = encode.error(f"ERR {name} is not available inside a transaction through rproxy")
            elements.insert(index, captured.reply or nothing)
        return elements


def is_executed(reply: bytes) -> bool:
    """Whether ``reply`` to EXEC says that the transaction was executed: it is neither an error nor null."""
    return reply[:1] == b"*" and reply != b"*-1\r\n"


def elements_of(reply: bytes) -> list[bytes]:
    """The encoded elements of an array."""
    scanner = ReplyScanner()
    position = reply.index(b"\r\n") + 2
    elements = []
    while position < len(reply):
        size = scanner.next(reply, position, len(reply))
        elements.append(reply[position : position + size])
        position += size
    return elements
