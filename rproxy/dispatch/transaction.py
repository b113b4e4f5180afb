"""MULTI, EXEC, DISCARD, WATCH and UNWATCH, as one Redis server has them ("Transactions" in the Redis documentation).

Commands are queued here, where everything rproxy can refuse is refused at once. At EXEC the whole transaction leaves as
one unit, contiguous on a connection that all clients share. Only a client that watches keys has a connection of its own
meanwhile, leased from the few that are kept for this. All keys of a transaction share a slot, as in any Redis Cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rproxy.commands.keys import key_positions
from rproxy.commands.spec import Plan
from rproxy.commands.spec import Transaction as WithinTransaction
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.exec_reply import ExecReply
from rproxy.dispatch.placement import Place, place_of
from rproxy.dispatch.session import Session, State
from rproxy.resp import encode
from rproxy.upstream.failure import LOST
from rproxy.upstream.pinned import PinnedConnection
from rproxy.upstream.pinned_call import PinnedCall
from rproxy.upstream.request import Request

QUEUED = b"+QUEUED\r\n"
NESTED = encode.error("ERR MULTI calls can not be nested")
EXEC_ALONE = encode.error("ERR EXEC without MULTI")
DISCARD_ALONE = encode.error("ERR DISCARD without MULTI")
WATCH_INSIDE = encode.error("ERR WATCH inside MULTI is not allowed")
NOT_ALLOWED = encode.error("ERR Command not allowed inside a transaction")
ABORTED = encode.error("EXECABORT Transaction discarded because of previous errors.")
OTHER_SLOT = encode.error("CROSSSLOT Keys in request don't hash to the same slot")
OTHER_SLOT_THAN_WATCHED = encode.error("CROSSSLOT Keys in request don't hash to the slot of the watched keys")
_MULTI = encode.command([b"MULTI"])
_EXEC = encode.command([b"EXEC"])
_UNWATCH = encode.command([b"UNWATCH"])
_ONE_SHARD = frozenset({b"SCRIPT|LOAD", b"SCRIPT|EXISTS"})
"""Fan-out commands that a transaction executes on its own shard alone."""


@dataclass(slots=True)
class Transaction:
    """What was queued. ``place`` is that of its keys, ``None`` until there is one."""

    queued: list[Command] = field(default_factory=list)
    place: Place | None = None
    is_spoiled: bool = False


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


# -- queueing


def multi(command: Command, context: Context) -> bytes:
    """MULTI."""
    session = command.session
    if session.transaction is not None:
        return NESTED
    session.transaction = Transaction(place=session.watch.place if session.watch is not None else None)
    session.enter(State.IN_TRANSACTION)
    return encode.OK


def gate(command: Command, context: Context) -> bool:
    """Queue a command between MULTI and EXEC, unless it is one of those that act at once."""
    within = command.spec.transaction
    if within is WithinTransaction.IMMEDIATE:
        return False
    refusal = NOT_ALLOWED if within is WithinTransaction.REFUSE else _queue(command, context)
    if refusal is not None:
        command.session.spoil()
    command.reply(refusal or QUEUED)
    return True


def _queue(command: Command, context: Context) -> bytes | None:
    """Queue ``command``; the error if it can be no part of the transaction."""
    transaction, spec = command.session.transaction, command.spec
    if transaction is None:
        return None
    name = spec.name.decode().replace("|", " ")
    if spec.plan == Plan.UNSUPPORTED:
        return encode.error(spec.refusal or f"ERR {name} is not supported by rproxy")
    if spec.plan == Plan.FAN_OUT and spec.name not in _ONE_SHARD:
        return encode.error(
            f"ERR {name} concerns every shard, and is not available inside a transaction through rproxy"
        )
    if spec.plan != Plan.LOCAL:
        try:
            positions = key_positions(spec, command.args)
        except ValueError:
            positions = []  # the server words the error when it executes the transaction
        place = place_of(command, positions, context)
        if isinstance(place, bytes):
            return place
        refusal = _settle_place(transaction, place, command.session)
        if refusal is not None:
            return refusal
    transaction.queued.append(command)
    return None


def _settle_place(transaction: Transaction, place: Place, session: Session) -> bytes | None:
    """Make ``place`` the transaction's if it has keys; the error if they are elsewhere than those before."""
    if place.slot < 0:
        return None
    if transaction.place is None:
        transaction.place = place
    elif transaction.place != place:
        return OTHER_SLOT_THAN_WATCHED if session.watch is not None else OTHER_SLOT
    return None


def discard(command: Command, context: Context) -> bytes:
    """DISCARD."""
    if command.session.transaction is None:
        return DISCARD_ALONE
    _leave(command.session)
    return _end_watch(command)


def _leave(session: Session) -> Transaction | None:
    transaction = session.transaction
    session.transaction = None
    session.leave(State.IN_TRANSACTION)
    return transaction


# -- EXEC


def execute(command: Command, context: Context, answer: Callable[[Command, Context], None]) -> bytes | None:
    """EXEC: the transaction leaves as one unit. ``answer`` answers the local commands in it."""
    session = command.session
    transaction = _leave(session)
    if transaction is None:
        return EXEC_ALONE
    watch = session.watch
    if transaction.is_spoiled:
        _end_watch(command)
        return ABORTED
    sent = [queued for queued in transaction.queued if queued.spec.plan != Plan.LOCAL]
    local = [(index, queued) for index, queued in enumerate(transaction.queued) if queued.spec.plan == Plan.LOCAL]
    reply = ExecReply(command, local, lambda queued: answer(queued, context))
    data = b"".join([_MULTI, *(queued.data for queued in sent), _EXEC])
    if watch is not None:
        session.settle(lambda: _execute_watched(command, watch, reply, data, len(sent) + 2))
    elif not sent:
        reply.finish(encode.EMPTY_ARRAY)
    else:
        _execute_shared(command, context, transaction, reply, data, sent)
    return None


def _execute_shared(
    command: Command, context: Context, transaction: Transaction, reply: ExecReply, data: bytes, sent: list[Command]
) -> None:
    """Send the unit on the connection that the client shares with others."""
    place = transaction.place or Place(context.keyless_route(), -1)
    cluster = place.route.cluster
    stats = cluster.stats_of(command.spec) if context.counts_commands else None
    affinity = command.session.affinity
    replies = len(sent) + 2
    is_write = any(queued.spec.is_write for queued in sent)
    now = cluster.turn.now
    cluster.submit(Request(data, reply, 0, stats, place.slot, False, affinity, now, replies=replies))
    for mirror in place.route.mirrors:
        if mirror.wants_unit(is_write):
            slot = place.slot if place.slot >= 0 else max(mirror.cluster.any_slot(), 0)
            mirror.copy_unit(command.spec, data, slot, replies)


def _execute_watched(command: Command, watch: Watch, reply: ExecReply, data: bytes, replies: int) -> None:
    """Send the unit on the connection that watches, and give that back."""
    session = command.session
    connection = watch.spend()
    cluster = watch.place.route.cluster

    def done(answers: list[bytes] | None) -> None:
        timer.cancel()
        if connection is None:
            return
        if answers is None:
            reply.finish(LOST.line(str(connection.pins.pool.endpoint), connection.reason))
        else:
            connection.pins.give_back(connection)
            reply.finish(_null(session) if _has_moved(answers) else answers[-1])
        session.release()

    if connection is None:
        reply.finish(_null(session))
        session.release()
        return
    timer = cluster.turn.loop.call_later(cluster.op_timeout, connection.close, "no answer in time")
    connection.ask(data, replies, done)


def _has_moved(answers: list[bytes]) -> bool:
    """Whether the keys have left the node since they were watched: then nobody knows whether they changed."""
    return answers[-1][:1] == b"-" and any(
        answer.startswith((b"-MOVED ", b"-ASK ", b"-TRYAGAIN ")) for answer in answers
    )


def _null(session: Session) -> bytes:
    """The reply to EXEC after a watched key has changed."""
    return b"*-1\r\n" if session.protocol == 2 else encode.NULL_3


# -- WATCH


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
        if answers is None or answers[0] != encode.OK:
            current.connection = None
        command.reply(encode.OK)
        session.release()

    if connection is None or not connection.is_open:
        done(None)
    else:
        connection.ask(command.data, 1, done)


def unwatch(command: Command, context: Context) -> bytes:
    """UNWATCH."""
    return _end_watch(command)


def _end_watch(command: Command) -> bytes:
    if command.session.watch is not None:
        command.session.watch.end()
    return encode.OK


HANDLERS: dict[bytes, Callable[[Command, Context], bytes | None]] = {
    b"MULTI": multi,
    b"DISCARD": discard,
    b"WATCH": watch,
    b"UNWATCH": unwatch,
}
