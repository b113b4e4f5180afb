"""Commands to all shards on connections of their own, because a shared one would wait with them, or is stuck itself.

WAIT holds up the connection it is sent on. A node that runs a script reads no more from the connection that asked for
it, so the KILL has to come on another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.parts import Parts, Target
from rproxy.resp import encode
from rproxy.resp.integer import integer_of
from rproxy.routing import assembler
from rproxy.upstream.pinned import PinnedConnection
from rproxy.upstream.pinned_call import Answered, PinnedCall

_PING = encode.command([b"PING"])
_NOT_BUSY = b"-NOTBUSY "


def _taker(parts: Parts, index: int) -> Answered:
    """Takes the reply that is a part."""

    def take(connection: PinnedConnection | None, reply: bytes) -> None:
        if connection is not None:
            connection.pins.give_back(connection)
        parts.deliver(index, reply, 0, len(reply))

    return take


class Aside:
    """Asks every target on a pinned connection, and holds the client until all have answered.

    ``may_be_unblocked``: the nodes make the client wait, which CLIENT UNBLOCK may end.
    """

    def __init__(
        self,
        command: Command,
        targets: Sequence[Target],
        finish: Callable[[list[bytes]], bytes],
        patience: float | None,
        *,
        may_be_unblocked: bool = False,
    ) -> None:
        self._command = command
        self._may_be_unblocked = may_be_unblocked
        self._finish = finish
        parts = Parts(len(targets), self._end)
        self._calls = [
            PinnedCall(
                cluster,
                slot,
                lambda: _PING + command.data,
                _taker(parts, index),
                is_resp3=command.session.protocol == 3,
                patience=None if patience is None else patience + cluster.op_timeout,
                replies=2,
            )
            for index, (cluster, slot) in enumerate(targets)
        ]

    def begin(self) -> None:
        """Ask now; the client is held."""
        session = self._command.session
        session.at_close.add(self._cancel)
        if self._may_be_unblocked:
            session.unblock = self._unblock
        for call in self._calls:
            call.start()

    def _unblock(self, is_error: bool) -> bool:
        return sum(call.unblock(is_error) for call in self._calls) > 0

    def _cancel(self) -> None:
        """The client is gone."""
        for call in self._calls:
            call.cancel()

    def _end(self, replies: list[bytes]) -> None:
        session = self._command.session
        session.at_close.discard(self._cancel)
        session.unblock = None
        self._command.reply(self._finish(replies))
        session.release()


def wait(command: Command, context: Context, targets: Sequence[Target]) -> None:
    """WAIT and WAITAOF: the least count of all shards.

    They are asked once the client's earlier commands have been answered. What a node waits for are the writes before
    the last command on the connection that asks: the PING, which comes after all of those.
    """
    patience = _patience(command.args[-1])
    command.session.settle(lambda: Aside(command, targets, _least, patience, may_be_unblocked=True).begin())


def _patience(milliseconds: bytes) -> float | None:
    """The time-out in seconds; ``None`` for ever. One that makes no sense is refused by the nodes at once."""
    try:
        return max(integer_of(milliseconds) / 1000, 0.0) or None
    except ValueError:
        return 0.0


def _least(replies: Sequence[bytes]) -> bytes:
    """The least of integers, or of arrays of them element by element."""
    failure = assembler.first_error(replies)
    if failure is not None:
        return failure
    rows = [assembler.elements_of(reply) if reply.startswith(b"*") else [reply] for reply in replies]
    least = [min(column, key=lambda cell: int(cell[1:])) for column in zip(*rows, strict=True)]
    return encode.array(least) if replies[0].startswith(b"*") else least[0]


def kill(command: Command, context: Context, targets: Sequence[Target]) -> None:
    """SCRIPT KILL and FUNCTION KILL: wherever something runs; an error tells more than that nothing does."""

    def finish(replies: list[bytes]) -> bytes:
        killed = next((reply for reply in replies if not reply.startswith(b"-")), None)
        return killed or next((reply for reply in replies if not reply.startswith(_NOT_BUSY)), replies[0])

    command.session.hold()
    Aside(command, targets, finish, 0.0).begin()


SPECIAL: dict[bytes, Callable[[Command, Context, Sequence[Target]], None]] = {
    b"FUNCTION|KILL": kill,
    b"SCRIPT|KILL": kill,
    b"WAIT": wait,
    b"WAITAOF": wait,
}
