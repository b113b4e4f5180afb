"""What one client is subscribed to."""

from __future__ import annotations

from collections.abc import Callable

from rproxy.dispatch.session import Session, State
from rproxy.resp import encode
from rproxy.upstream.subscription import Claim, Kind, Topic, strings_of
from rproxy.upstream.subscriptions import Subscriptions

Held = tuple[Subscriptions, Claim]


class Subscriber:
    """The subscriptions of a session, by the names that its client knows. It exists as long as the client has any."""

    __slots__ = ("_held", "_moving", "_session")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._held: dict[Kind, dict[bytes, Held]] = {kind: {} for kind in Kind}
        self._moving: set[tuple[Kind, bytes]] = set()

    def add(self, kind: Kind, name: bytes, subscriptions: Subscriptions, claim: Claim) -> None:
        """Hear what comes to a claim that was confirmed."""
        session = self._session
        if session.subscriber is None:
            session.subscriber = self
            session.at_close.add(self.forget_all)
        self._held[kind][name] = subscriptions, claim
        self._listen(name, subscriptions, claim)
        self.settle_state()

    def _listen(self, name: bytes, subscriptions: Subscriptions, claim: Claim) -> None:
        subscriptions.listen(claim, self._hear if claim.subscription.topic.name == name else self._hear_as(name))

    def move(self, kind: Kind, name: bytes, there: Subscriptions, shown: bytes) -> bool:
        """Hear of it through ``there``, called ``shown`` there, as soon as that is confirmed; whether it is not yet.

        If it is refused there, everything stays as it is.
        """
        if self._held[kind][name][0] is there:
            return False
        if (kind, name) in self._moving:
            return True
        self._moving.add((kind, name))
        loop = there.cluster.turn.loop

        def on_settled(error: bytes | None) -> None:
            loop.call_soon(lambda: self._finish_move(kind, name, (there, claim), error))

        claim = there.claim(Topic(kind, shown), on_settled)
        return True

    def _finish_move(self, kind: Kind, name: bytes, new: Held, error: bytes | None) -> None:
        self._moving.discard((kind, name))
        if error is not None:
            return
        old = self._held[kind].get(name)
        if old is None or old[0] is new[0]:  # unsubscribed meanwhile, and perhaps subscribed anew
            new[0].release(new[1])
            return
        old[0].release(old[1])
        self._held[kind][name] = new
        self._listen(name, *new)

    def remove(self, kind: Kind, name: bytes) -> None:
        """Hear of it no more, if it was heard of."""
        held = self._held[kind].pop(name, None)
        if held is None:
            return
        subscriptions, claim = held
        subscriptions.release(claim)
        if not len(self):
            self._session.subscriber = None
            self._session.at_close.discard(self.forget_all)
        self.settle_state()

    def forget_all(self) -> None:
        """Hear of nothing more: the client is gone, or starts anew."""
        for kind in Kind:
            for name in self.names(kind):
                self.remove(kind, name)

    def has(self, kind: Kind, name: bytes) -> bool:
        """Whether the client is subscribed to it."""
        return name in self._held[kind]

    def names(self, kind: Kind) -> list[bytes]:
        """What it is subscribed to, in the order in which it did."""
        return list(self._held[kind])

    def count(self, kind: Kind) -> int:
        """The number that confirmations of this kind show: of sharded channels, or of channels and patterns."""
        if kind is Kind.SHARD:
            return len(self._held[Kind.SHARD])
        return len(self._held[Kind.CHANNEL]) + len(self._held[Kind.PATTERN])

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def settle_state(self) -> None:
        """Be in the subscribed state in RESP2 alone: in RESP3 every command is allowed beside subscriptions."""
        session = self._session
        if len(self) and session.protocol == 2:
            session.enter(State.SUBSCRIBED)
        else:
            session.leave(State.SUBSCRIBED)

    def tell(self, data: bytes) -> None:
        """Send the client ``data``, one whole push message."""
        if self._session.client is not None:
            self._session.client.push(data)

    def _hear(self, in_resp2: bytes, in_resp3: bytes) -> None:
        session = self._session
        if session.client is not None:
            session.client.push(in_resp3 if session.protocol == 3 else in_resp2)

    def _hear_as(self, name: bytes) -> Callable[[bytes, bytes], None]:
        """Hear messages of a sharded channel whose name upstream lacks the route's prefix."""

        def hear(in_resp2: bytes, in_resp3: bytes) -> None:
            words = strings_of(in_resp2, 3)
            push = encode.array(map(encode.bulk, [words[0], name, words[2]]))
            self._hear(push, b">" + push[1:])

        return hear
