"""The reply to EXEC: the node's, with the replies of the commands that rproxy answers itself put in their places."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rproxy.dispatch.command import Command
from rproxy.resp import encode
from rproxy.resp.wire import Chunk, ReplyScanner
from rproxy.upstream.sink import Sink

Queued = tuple[int, Command]


class ExecReply(Sink):
    """The sink of a transaction: remembers why it was not executed, and delivers its reply to the client's place.

    ``local`` holds the commands that rproxy answers itself, each with its index among all; ``answer`` has one answered,
    at once or later. ``amend`` corrects the node's replies.
    """

    __slots__ = ("_amend", "_answer", "_command", "_error", "_local")

    def __init__(
        self,
        command: Command,
        local: Sequence[Queued],
        answer: Callable[[Command], None],
        amend: Callable[[list[bytes]], None] | None = None,
    ) -> None:
        self._amend = amend
        self._command = command
        self._local = local
        self._answer = answer
        self._error = b""

    def asker(self) -> tuple[str, bytes]:
        """Whose transaction it is."""
        return self._command.sink.asker()

    def affinity(self) -> int:
        """That of the client's session."""
        return self._command.sink.affinity()

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
        if not (self._local or self._amend) or not is_executed(reply):
            self._command.reply(reply)
            return
        elements = elements_of(reply)
        if self._amend is not None:
            self._amend(elements)
        if not self._local:
            self._command.reply(encode.array(elements))
            return
        weave = _Weave(self._command, elements, [index for index, _ in self._local])
        for token, (_, queued) in enumerate(self._local):
            queued.sink, queued.token = weave, token
            self._answer(queued)


class _Weave(Sink):
    """Takes the replies of the local commands, and finishes with the last of them."""

    __slots__ = ("_command", "_elements", "_indexes", "_missing", "_replies")

    def __init__(self, command: Command, elements: list[bytes], indexes: list[int]) -> None:
        self._command = command
        self._elements = elements
        self._indexes = indexes
        self._replies = [b""] * len(indexes)
        self._missing = len(indexes)

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
        """Take the reply of local command number ``token``."""
        self._replies[token] = bytes(chunk[start:end])
        self._missing -= 1
        if self._missing == 0:
            for index, reply in zip(self._indexes, self._replies, strict=True):
                self._elements.insert(index, reply)
            self._command.reply(encode.array(self._elements))


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
