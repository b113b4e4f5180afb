"""MULTI, EXEC and DISCARD, as one Redis server has them ("Transactions" in the Redis documentation).

Commands are queued here, where everything rproxy can refuse is refused at once. At EXEC the whole transaction leaves as
one unit, contiguous on a connection that all clients share; that of a client that watches keys on its own
(``dispatch.watch``). All keys of a transaction share a slot, as in any Redis Cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rproxy.commands.keys import key_positions
from rproxy.commands.spec import Plan
from rproxy.commands.spec import Transaction as WithinTransaction
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.exec_reply import ExecReply, is_executed
from rproxy.dispatch.monitor import show_transaction
from rproxy.dispatch.placement import Place, place_of
from rproxy.dispatch.publish import corrected, home_of, topic_of, when_heard
from rproxy.dispatch.scripts import in_full
from rproxy.dispatch.session import Session, State
from rproxy.dispatch.watch import OTHER_SLOT_THAN_WATCHED, WATCH_HANDLERS, Watch, end_watch, execute_watched
from rproxy.resp import encode
from rproxy.upstream.request import Request

QUEUED = b"+QUEUED\r\n"
NESTED = encode.error("ERR MULTI calls can not be nested")
EXEC_ALONE = encode.error("ERR EXEC without MULTI")
DISCARD_ALONE = encode.error("ERR DISCARD without MULTI")
NOT_ALLOWED = encode.error("ERR Command not allowed inside a transaction")
ABORTED = encode.error("EXECABORT Transaction discarded because of previous errors.")
OTHER_SLOT = encode.error("CROSSSLOT Keys in request don't hash to the same slot")
_MULTI = encode.command([b"MULTI"])
_EXEC = encode.command([b"EXEC"])
_ONE_SHARD = frozenset({b"SCRIPT|EXISTS", b"SCRIPT|LOAD", b"WAIT", b"WAITAOF"})
"""Fan-out commands that a transaction executes on its own shard alone."""


@dataclass(slots=True)
class Transaction:
    """What was queued. ``place`` is that of its keys, ``None`` until there is one."""

    queued: list[Command] = field(default_factory=list)
    place: Place | None = None
    is_spoiled: bool = False


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
    session = command.session
    if session.transaction is None:
        return DISCARD_ALONE
    session.discard()
    return encode.OK


def _leave(session: Session) -> Transaction | None:
    transaction = session.transaction
    session.transaction = None
    session.leave(State.IN_TRANSACTION)
    return transaction


# -- EXEC


class _Unit:
    """A transaction as it leaves: ``MULTI`` to ``EXEC`` in one piece, answered by as many ``replies``.

    ``published`` are the topics of the messages in it, by index among the commands that are ``sent``.
    """

    def __init__(self, command: Command, place: Place, sent: list[Command], context: Context) -> None:
        self.data = b"".join([_MULTI, *(in_full(one, context) for one in sent), _EXEC])
        self.replies = len(sent) + 2
        self.published = {index: topic for index, one in enumerate(sent) if (topic := topic_of(one)) is not None}
        self.place = home_of(place) if self.published else place
        self._command = command
        self._is_write = any(one.spec.is_write for one in sent)

    def send(self, reply: ExecReply, context: Context) -> None:
        """Send it on the connection that the client shares with others, and copy it to the mirrors."""
        cluster, spec = self.place.route.cluster, self._command.spec
        stats = cluster.stats_of(spec) if context.counts_commands else None
        affinity, now = self._command.session.affinity, cluster.turn.now
        request = Request(self.data, reply, 0, stats, self.place.slot, False, affinity, now, replies=self.replies)
        cluster.submit(request)
        self.copy_to_mirrors()

    def copy_to_mirrors(self) -> None:
        """Copy it, whole, to the mirrors that want it."""
        for mirror in self.place.route.mirrors:
            if mirror.wants_unit(self._is_write):
                slot = self.place.slot if self.place.slot >= 0 else max(mirror.cluster.any_slot(), 0)
                mirror.copy_unit(self._command.spec, self.data, slot, self.replies)

    def when_heard(self, then: Callable[[], None]) -> None:
        """Call ``then`` once its messages are heard by all who asked for them before."""
        subscriptions = self.place.route.cluster.subscriptions
        when_heard(self._command.session, subscriptions, list(self.published.values()), then)

    def amend(self, elements: list[bytes]) -> None:
        """Correct the numbers of receivers."""
        for index, topic in self.published.items():
            subscriptions = self.place.route.cluster.subscriptions
            elements[index] = corrected(elements[index], topic, subscriptions, self.place.slot)


def execute(command: Command, context: Context, answer: Callable[[Command, Context], None]) -> bytes | None:
    """EXEC: the transaction leaves as one unit. ``answer`` answers the local commands in it."""
    session = command.session
    transaction, watch = _leave(session), session.watch
    if transaction is None or transaction.is_spoiled:
        show_transaction([], command, context)
        if transaction is None:
            return EXEC_ALONE
        end_watch(session)
        return ABORTED
    queued = transaction.queued
    sent = [one for one in queued if one.spec.plan != Plan.LOCAL]
    local = [(index, one) for index, one in enumerate(queued) if one.spec.plan == Plan.LOCAL]
    place = transaction.place or Place(context.keyless_route(), -1)
    unit = _Unit(command, watch.place if watch is not None else place, sent, context)
    reply = ExecReply(command, local, lambda one: answer(one, context), unit.amend if unit.published else None)
    if watch is not None:
        _execute_watched(session, watch, unit, reply, lambda done: show_transaction(queued * done, command, context))
        return None
    show_transaction(queued, command, context)
    if sent:
        unit.when_heard(lambda: unit.send(reply, context))
    else:
        reply.finish(encode.EMPTY_ARRAY)
    return None


def _execute_watched(
    session: Session, watch: Watch, unit: _Unit, reply: ExecReply, show: Callable[[bool], None]
) -> None:
    """Send the unit where its keys are watched; mirrors get it only if it was executed, as ``show`` is told."""

    def answered(line: bytes) -> None:
        show(is_executed(line))
        if is_executed(line):
            unit.copy_to_mirrors()
        reply.finish(line)

    def send() -> None:
        execute_watched(session, watch, unit.data, unit.replies, answered)

    session.settle(lambda: unit.when_heard(send))


HANDLERS: dict[bytes, Callable[[Command, Context], bytes | None]] = {
    b"MULTI": multi,
    b"DISCARD": discard,
    **WATCH_HANDLERS,
}
