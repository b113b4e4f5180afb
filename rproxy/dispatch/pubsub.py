"""SUBSCRIBE, UNSUBSCRIBE and their kin: what a client hears of from now on.

A subscription is confirmed to the client when it is confirmed upstream and known to all workers; until then its next
command waits. The messages are shared out by ``upstream.subscriptions``.
"""

from __future__ import annotations

from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.session import Session
from rproxy.dispatch.subscriber import Subscriber
from rproxy.resp import encode
from rproxy.upstream.failure import NO_ROUTE
from rproxy.upstream.subscription import Claim, Kind, Topic
from rproxy.upstream.subscriptions import Subscriptions

TOO_MANY = encode.error("ERR max number of subscriptions per client reached")
NOT_HERE = (
    "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
)

_KINDS = {verb.upper(): kind for kind in Kind for verb in (kind.subscribe, kind.unsubscribe)}
_ALLOWED = frozenset([*_KINDS, b"QUIT", b"RESET"])


def gate(command: Command, context: Context) -> bool:
    """Few commands are allowed to a client of RESP2 with subscriptions, and PING has a reply of its own there."""
    name = command.spec.name
    if name in _ALLOWED:
        return False
    if name != b"PING":
        command.reply(encode.error(NOT_HERE.format(name.decode().lower())))
    elif len(command.args) > 2:
        return False
    else:
        context.local_commands["ping"] += 1
        command.reply(encode.reply([b"pong", command.args[1] if len(command.args) == 2 else b""]))
    return True


def subscribe(command: Command, context: Context) -> bytes | None:
    """SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE name …"""
    kind = _KINDS[command.spec.name]
    subscriber = command.session.subscriber or Subscriber(command.session)
    wanted = dict.fromkeys(name for name in command.args[1:] if not subscriber.has(kind, name))
    if len(subscriber) + len(wanted) > context.max_subscriptions:
        return TOO_MANY
    upstream: list[tuple[bytes, Subscriptions, bytes]] = []
    for name in wanted:
        route = context.route_of(name) if kind is Kind.SHARD else context.keyless_route()
        if route is None:
            return NO_ROUTE.line()
        shown = route.rule.upstream_key(name) if kind is Kind.SHARD else name
        upstream.append((name, route.cluster.subscriptions, shown))
    _Subscribing(command, subscriber, kind).begin(upstream)
    return None


class _Subscribing:
    """A command that subscribes: its topics have to be confirmed and known to all, the replies before it to leave."""

    def __init__(self, command: Command, subscriber: Subscriber, kind: Kind) -> None:
        self._command = command
        self._subscriber = subscriber
        self._kind = kind
        self._claims: dict[bytes, tuple[Subscriptions, Claim]] = {}
        self._missing = 0
        self._error: bytes | None = None

    def begin(self, upstream: list[tuple[bytes, Subscriptions, bytes]]) -> None:
        """Claim the topics: each with its name here, its cluster's subscriptions, and its name there."""
        session = self._command.session
        session.at_close.add(self._leave)
        heralds = {id(subscriptions): subscriptions.herald for _, subscriptions, _ in upstream}
        self._missing = len(upstream) + len(heralds) + 1
        for name, subscriptions, shown in upstream:
            claim = subscriptions.claim(Topic(self._kind, shown), self._on_settled)
            self._claims[name] = subscriptions, claim
        for herald in heralds.values():
            herald.when_told(self._on_told)
        session.settle(self._on_told)

    def _on_told(self) -> None:
        self._on_settled(None)

    def _on_settled(self, error: bytes | None) -> None:
        self._error = self._error or error
        self._missing -= 1
        if self._missing == 0:
            self._finish()

    def _finish(self) -> None:
        """Answer, and only then let messages come: all that were asked for, or none."""
        session = self._command.session
        session.at_close.discard(self._leave)
        if self._error is not None:
            self._abandon()
            self._command.reply(self._error)
        else:
            self._command.reply(self._confirm())
        session.release()

    def _confirm(self) -> bytes:
        confirmations = []
        for name in self._command.args[1:]:
            if name in self._claims and not self._subscriber.has(self._kind, name):
                self._subscriber.add(self._kind, name, *self._claims[name])
            count = self._subscriber.count(self._kind)
            confirmations.append(_confirmation(self._command.session, self._kind.subscribe, name, count))
        return b"".join(confirmations)

    def _leave(self) -> None:
        """The client is gone: what is still to come finishes nothing, for nobody would end the subscriptions."""
        self._missing = 0
        self._abandon()

    def _abandon(self) -> None:
        for subscriptions, claim in self._claims.values():
            subscriptions.release(claim)


def follow_routes(session: Session, context: Context) -> int:
    """Have what the client is subscribed to come from where the routes lead now; how many topics do not yet.

    Its messages come from the old cluster until the new one has confirmed: around that moment one may come twice. What
    no route leads to any more is unsubscribed, as by Redis when a slot leaves a node.
    """
    subscriber = session.subscriber
    if subscriber is None:
        return 0
    missing = 0
    for kind in Kind:
        for name in subscriber.names(kind):
            route = context.route_of(name) if kind is Kind.SHARD else context.keyless_route()
            if route is None:
                subscriber.remove(kind, name)
                subscriber.tell(_confirmation(session, kind.unsubscribe, name, subscriber.count(kind)))
                continue
            shown = route.rule.upstream_key(name) if kind is Kind.SHARD else name
            missing += subscriber.move(kind, name, route.cluster.subscriptions, shown)
    return missing


def may_hear(session: Session, context: Context) -> bool:
    """Whether the client's user, whose rules are others now, may still subscribe to all that the client hears."""
    subscriber = session.subscriber
    if subscriber is None:
        return True
    for kind in Kind:
        args = [kind.subscribe.upper(), *subscriber.names(kind)]
        spec = context.commands.get(args[0])
        if len(args) > 1 and spec is not None and session.user.check(spec, args) is not None:
            return False
    return True


def resume(session: Session, kind: Kind, name: bytes, context: Context) -> None:
    """Have a client that was subscribed to ``name`` elsewhere be so here, or close it if that cannot be."""
    route = context.route_of(name) if kind is Kind.SHARD else context.keyless_route()
    if route is None:
        _give_up(session)
        return
    there = route.cluster.subscriptions
    shown = route.rule.upstream_key(name) if kind is Kind.SHARD else name

    def on_settled(error: bytes | None) -> None:
        there.cluster.turn.loop.call_soon(begin, error)

    def begin(error: bytes | None) -> None:
        session.at_close.discard(forget)
        if error is None and session.client is not None:
            (session.subscriber or Subscriber(session)).add(kind, name, there, claim)
        else:
            _give_up(session)

    def forget() -> None:
        there.release(claim)

    claim = there.claim(Topic(kind, shown), on_settled)
    session.at_close.add(forget)


def _give_up(session: Session) -> None:
    if session.client is not None:
        session.client.close()


def unsubscribe(command: Command, context: Context) -> bytes | None:
    """UNSUBSCRIBE, PUNSUBSCRIBE, SUNSUBSCRIBE [name …]: without names, of everything of this kind."""
    kind = _KINDS[command.spec.name]
    session = command.session
    subscriber = session.subscriber or Subscriber(session)
    names: list[bytes] | list[None] = command.args[1:] or subscriber.names(kind) or [None]
    confirmations = []
    for name in names:
        if name is not None:
            subscriber.remove(kind, name)
        confirmations.append(_confirmation(session, kind.unsubscribe, name, subscriber.count(kind)))
    reply = b"".join(confirmations)
    if context.crew.is_alone:
        return reply
    _reply_when_told(command, context, reply)
    return None


def _reply_when_told(command: Command, context: Context, reply: bytes) -> None:
    """Reply once the other workers know as well."""
    clusters = context.clusters()
    missing = len(clusters)

    def on_told() -> None:
        nonlocal missing
        missing -= 1
        if missing == 0:
            command.reply(reply)
            command.session.release()

    command.session.hold()
    for cluster in clusters:
        cluster.subscriptions.herald.when_told(on_told)


def _confirmation(session: Session, verb: bytes, name: bytes | None, count: int) -> bytes:
    parts = encode.reply([verb, name, count], session.protocol)
    return b">" + parts[1:] if session.protocol == 3 else parts


HANDLERS = {
    b"SUBSCRIBE": subscribe,
    b"PSUBSCRIBE": subscribe,
    b"SSUBSCRIBE": subscribe,
    b"UNSUBSCRIBE": unsubscribe,
    b"PUNSUBSCRIBE": unsubscribe,
    b"SUNSUBSCRIBE": unsubscribe,
}
