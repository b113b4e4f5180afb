"""WATCH and UNWATCH: a client that watches keys has a connection of its own, on which the node watches them.

The EXEC that ends the watch goes there too. Keys whose slot moves, or whose node is lost, count as changed: nobody
knows whether they were.
"""

from __future__ import annotations

from collections.abc import Callable

from rproxy.commands.keys import key_positions
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.placement import Place, place_of
from rproxy.dispatch.session import Session
from rproxy.resp import encode
from rproxy.topology.redirection import RedirectionKind
from rproxy.upstream.failure import LOST
from rproxy.upstream.pinned import PinnedConnection
from rproxy.upstream.pinned_call import PinnedCall

Answered = Callable[[bytes], None]
"""Takes the reply to EXEC."""

WATCH_INSIDE = encode.error("ERR WATCH inside MULTI is not allowed")
OTHER_SLOT_THAN_WATCHED = encode.error("CROSSSLOT Keys in request don't hash to the slot of the watched keys")
_UNWATCH = encode.command([b"UNWATCH"])
_UNSERVED = tuple(b"-%b " % kind.name.encode() for kind in RedirectionKind)
"""How a node begins to say that it does not serve the keys, now or any more."""


class Watch:
    """A client's watched keys: the slot they share, and the connection on which a node watches them.

    ``connection`` is ``None`` once it was lost: the transaction then fails as if a key had changed.
    """

    def __init__(self, session: Session, place: Place, connection: PinnedConnection) -> None:
        self.place = place
        self.connection: PinnedConnection | None = connection
        self._session = session
        session.watch = self
        session.at_close.add(self.abandon)

    def abandon(self) -> None:
        """Let go of the connection without a word to the client: closing it ends the watch at once."""
        self._forget()
        if self.connection is not None:
            self.connection.close()

    def end(self) -> None:
        """Watch no more, and give the connection back to be used again."""
        self._forget()
        connection = self.connection
        if connection is not None:
            connection.ask(_UNWATCH, 1, lambda replies: connection.pins.give_back(connection))

    def spend(self) -> PinnedConnection | None:
        """The connection, for the EXEC that ends the watch; ``None`` if it was lost."""
        self._forget()
        return self.connection if self.connection is not None and self.connection.is_open else None

    def _forget(self) -> None:
        self._session.watch = None
        self._session.at_close.discard(self.abandon)


def execute_watched(session: Session, watch: Watch, data: bytes, replies: int, answered: Answered) -> None:
    """Send the unit on the connection that watches, and give that back."""
    connection = watch.spend()
    cluster = watch.place.route.cluster

    if connection is None:
        answered(_null(session))
        session.release()
        return

    def done(answers: list[bytes] | None) -> None:
        timer.cancel()
        if answers is None:
            answered(cluster.counted_line(LOST, str(connection.pins.pool.endpoint), connection.reason))
        else:
            connection.pins.give_back(connection)
            answered(_null(session) if _has_moved(answers) else answers[-1])
        session.release()

    timer = cluster.turn.loop.call_later(cluster.op_timeout, connection.close, "no answer in time")
    connection.ask(data, replies, done)


def _has_moved(answers: list[bytes]) -> bool:
    """Whether the keys have left the node since they were watched: then nobody knows whether they changed."""
    return answers[-1][:1] == b"-" and any(answer.startswith(_UNSERVED) for answer in answers)


def _null(session: Session) -> bytes:
    """The reply to EXEC after a watched key has changed."""
    return b"*-1\r\n" if session.protocol == 2 else encode.NULL_3


def watch(command: Command, context: Context) -> bytes | None:
    """WATCH key …: all in one slot, that of the keys watched before."""
    session = command.session
    if session.transaction is not None:
        return WATCH_INSIDE
    place = place_of(command, key_positions(command.spec, command.args), context)
    if isinstance(place, bytes):
        return place
    current = session.watch
    if current is not None and current.place != place:
        return OTHER_SLOT_THAN_WATCHED
    session.settle(lambda: _watch_more(command, current) if current is not None else _begin_watch(command, place))
    return None


def _begin_watch(command: Command, place: Place) -> None:
    session = command.session
    cluster = place.route.cluster

    def answered(connection: PinnedConnection | None, reply: bytes) -> None:
        session.at_close.discard(call.cancel)
        if connection is not None and reply == encode.OK:
            Watch(session, place, connection)
        elif connection is not None:
            connection.pins.give_back(connection)
        command.reply(reply)
        session.release()

    call = PinnedCall(
        cluster,
        place.slot,
        lambda: command.data,
        answered,
        is_resp3=session.protocol == 3,
        patience=cluster.op_timeout,
    )
    session.at_close.add(call.cancel)
    call.start()


def _watch_more(command: Command, current: Watch) -> None:
    session = command.session
    connection = current.connection

    def done(answers: list[bytes] | None) -> None:
        if connection is not None and (answers is None or answers[0] != encode.OK):
            current.connection = None
            connection.close()
        command.reply(encode.OK)
        session.release()

    if connection is None or not connection.is_open:
        done(None)
    else:
        connection.ask(command.data, 1, done)


def unwatch(command: Command, context: Context) -> bytes:
    """UNWATCH."""
    return end_watch(command.session)


def end_watch(session: Session) -> bytes:
    """Watch nothing more."""
    if session.watch is not None:
        session.watch.end()
    return encode.OK


WATCH_HANDLERS: dict[bytes, Callable[[Command, Context], bytes | None]] = {b"WATCH": watch, b"UNWATCH": unwatch}
