"""Commands that wait for data: each on a connection of its own, since a shared one would make everyone wait.

The client's next command waits too, as with Redis. Such a command is not mirrored: it would block the mirror's shared
connection, and what it takes depends on who waits there.
"""

from __future__ import annotations

from collections.abc import Callable

from rproxy.commands.keys import key_positions
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.placement import Place, place_of
from rproxy.resp import encode
from rproxy.upstream.pinned import PinnedConnection
from rproxy.upstream.pinned_call import PinnedCall

_BLOCK = b"BLOCK"
_SECONDS_FIRST = frozenset({b"BLMPOP", b"BZMPOP"})
_UNBLOCKED = b"-UNBLOCKED client unblocked"
"""How a node says that CLIENT UNBLOCK has ended a wait: nothing was served."""
_MILLISECONDS = frozenset({b"XREAD", b"XREADGROUP"})


def block(command: Command, context: Context) -> None:
    """Send a blocking command to the owner of its keys' slot, and hold the client until it is answered."""
    try:
        place = place_of(command, key_positions(command.spec, command.args), context)
    except ValueError:
        place = Place(context.keyless_route(), -1)  # the server words the error
    if isinstance(place, bytes):
        command.reply(place)
        return
    command.session.settle(lambda: _Wait(command, context, place).begin())


def timeout_position(command: Command) -> int:
    """Where the time-out stands in the command's arguments."""
    if command.spec.name in _MILLISECONDS:
        return [argument.upper() for argument in command.args].index(_BLOCK) + 1
    return 1 if command.spec.name in _SECONDS_FIRST else len(command.args) - 1


class _Wait:
    """One client's wait: ends with the answer of a node, with CLIENT UNBLOCK, or with the client."""

    def __init__(self, command: Command, context: Context, place: Place) -> None:
        cluster = place.route.cluster
        session = command.session
        self._command = command
        self._cluster = cluster
        self._began = cluster.turn.tick()
        self._position = min(timeout_position(command), len(command.args) - 1)
        self._seconds = self._timeout()
        self._suspended: Callable[[bytes], None] | None = None
        self._stats = cluster.stats_of(command.spec) if context.counts_commands else None
        slot = place.slot if place.slot >= 0 else max(cluster.any_slot(), 0)
        self._call = PinnedCall(
            cluster,
            slot,
            self._data,
            self._answered,
            is_read=command.spec.is_read,
            is_resp3=session.protocol == 3,
            patience=self._seconds + cluster.op_timeout if self._seconds else None,
        )

    def begin(self) -> None:
        """Wait from now on."""
        session = self._command.session
        session.unblock = self._call.unblock
        session.suspend = self._suspend if self._may_be_suspended() else None
        session.at_close.add(self._call.cancel)
        self._call.start()

    def _may_be_suspended(self) -> bool:
        """Whether the command means the same when it is sent once more: not what waits for new entries from now on."""
        return not (self._command.spec.name == b"XREAD" and b"$" in self._command.args)

    def _suspend(self, then: Callable[[bytes], None]) -> None:
        """Have the node end the wait. If nothing was served before, ``then`` gets the command by which it goes on.

        The client is still held then, and has no reply.
        """
        self._suspended = then
        self._call.unblock(True)

    def _timeout(self) -> float:
        """The time-out in seconds; 0 for ever, and for one that the server will refuse."""
        unit = 0.001 if self._command.spec.name in _MILLISECONDS else 1.0
        try:
            seconds = float(self._command.args[self._position]) * unit
        except ValueError:
            return 0.0
        return seconds if 0 < seconds < 1e9 else 0.0

    def _data(self) -> bytes:
        """The command, with what is left of its time-out when it is sent once more."""
        passed = self._cluster.turn.tick() - self._began
        if not self._seconds or passed < 0.001:
            return self._command.data
        left = max(self._seconds - passed, 0.001)
        in_milliseconds = self._command.spec.name in _MILLISECONDS
        args = list(self._command.args)
        args[self._position] = b"%d" % (left * 1000) if in_milliseconds else b"%.3f" % left
        return encode.command(args)

    def _answered(self, connection: PinnedConnection | None, reply: bytes) -> None:
        session = self._command.session
        session.unblock = session.suspend = None
        session.at_close.discard(self._call.cancel)
        if connection is not None:
            connection.pins.give_back(connection)
        if self._suspended is not None and reply.startswith(_UNBLOCKED):
            self._command.reply(b"")
            self._suspended(self._data())
            return
        if self._stats is not None:
            self._stats.record(reply[:1] == b"-", self._cluster.turn.tick() - self._began)
        self._command.reply(reply)
        session.release()
