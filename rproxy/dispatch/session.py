"""What is remembered of one client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, IntFlag
from typing import TYPE_CHECKING, Protocol

from rproxy.acl.user import User
from rproxy.acl.users import Users
from rproxy.commands.spec import CommandSpec

if TYPE_CHECKING:
    from rproxy.dispatch.subscriber import Subscriber
    from rproxy.dispatch.transaction import Transaction
    from rproxy.dispatch.watch import Watch

ANYONE = Users().default
"""The user of a client whose listener has no users."""


class State(IntFlag):
    """What makes the commands of a client mean more than they say. Each state has its gate (``dispatch.gates``)."""

    UNAUTHENTICATED = 1
    """It has to authenticate first."""
    RESTRICTED = 2
    """Its user may not do everything."""
    PAUSED = 4
    """Its commands wait: CLIENT PAUSE."""
    MONITORED = 64
    """Its commands are shown to a MONITOR."""
    SUBSCRIBED = 8
    """It speaks RESP2 and has subscriptions: few commands are allowed."""
    IN_TRANSACTION = 16
    """It is between MULTI and EXEC."""
    MUTED = 32
    """CLIENT REPLY OFF or SKIP."""


ENTERED_BY: Mapping[State, frozenset[bytes]] = {
    State.UNAUTHENTICATED: frozenset({b"RESET"}),
    State.RESTRICTED: frozenset({b"AUTH", b"HELLO"}),
    State.PAUSED: frozenset({b"CLIENT|PAUSE"}),
    State.MONITORED: frozenset({b"MONITOR"}),
    State.SUBSCRIBED: frozenset({b"SUBSCRIBE", b"PSUBSCRIBE", b"SSUBSCRIBE", b"HELLO"}),
    State.IN_TRANSACTION: frozenset({b"MULTI"}),
    State.MUTED: frozenset({b"CLIENT|REPLY"}),
}
"""The commands that take a client into a state. Besides, it is in some of them from its first command on."""

LEFT_BY: Mapping[State, frozenset[bytes]] = {
    State.UNAUTHENTICATED: frozenset({b"AUTH", b"HELLO"}),
    State.RESTRICTED: frozenset({b"AUTH", b"HELLO", b"RESET"}),
    State.PAUSED: frozenset({b"CLIENT|UNPAUSE"}),
    State.MONITORED: frozenset({b"RESET"}),
    State.SUBSCRIBED: frozenset({b"UNSUBSCRIBE", b"PUNSUBSCRIBE", b"SUNSUBSCRIBE", b"RESET"}),
    State.IN_TRANSACTION: frozenset({b"EXEC", b"DISCARD", b"RESET"}),
    State.MUTED: frozenset({b"CLIENT|REPLY", b"RESET"}),
}
"""The commands that take it out. Besides, a pause ends with its time, SKIP with the next command, and being monitored
with the last client that does."""


class Flow(Enum):
    """Whether the next command of a client is taken."""

    TAKING = "taking"
    HELD = "held"
    """It waits for the one before."""
    LEAVING = "leaving"
    """The one before is the last."""
    QUITTING = "quitting"
    """None is, and the client is closed when it has its replies."""


FLOW: Mapping[Flow, frozenset[Flow]] = {
    Flow.TAKING: frozenset({Flow.HELD, Flow.QUITTING}),
    Flow.HELD: frozenset({Flow.TAKING, Flow.LEAVING}),
    Flow.LEAVING: frozenset({Flow.QUITTING}),
    Flow.QUITTING: frozenset(),
}


class Client(Protocol):
    """The connection of a session, as commands need it."""

    def hold(self) -> None:
        """Take no further command until ``release``: the one just taken has to be answered first."""

    def release(self) -> None:
        """Go on after ``hold``."""

    def settle(self, then: Callable[[], None]) -> None:
        """Call ``then`` once every command before the one just taken has been answered; for one that is held."""

    def trust(self, is_trusted: bool) -> None:
        """Whether the client may send commands of any size, as one may that has authenticated."""

    def pause(self) -> None:
        """Read no more until ``read_on``."""

    def read_on(self) -> None:
        """Go on with what has come of a command that is handed on as it comes, and read more."""

    def push(self, data: bytes) -> None:
        """Send ``data``, one whole push message, between replies. A client that does not take them is closed."""

    def on_no_resp(self) -> None:
        """What it sends is no RESP: it is counted as one of those, and will be closed."""

    def figures(self) -> tuple[int, int, int]:
        """The seconds since it was heard of, and the bytes that wait to be executed, and to be sent to it."""

    def close(self) -> None:
        """Close at once."""


class Session:
    """The state of one client that outlives a command.

    ``protocol`` is the RESP version it speaks, 2 or 3; ``affinity`` picks its connection in every pool (see
    ``upstream.pool``). ``is_plain``: it is in no ``State``, so its commands may take the fast path;
    ``is_only_restricted``: those may that its user's rules clearly allow. ``is_held``: its next command waits.
    ``is_interrupted``: it is held or quitting, or has too many replies to take. ``at_close`` is called, in any order,
    when the client is gone, or resets. ``transaction`` and ``watch``: what it queued and what it watches;
    ``subscriber``: what it is subscribed to, ``None`` if nothing; ``unblock`` ends the wait of a blocked client, with
    an error or as if its time were over, if it still waits; ``suspend`` does so without a reply, and gives the command
    by which the client goes on to wait. ``user`` is who it is, the default user before it authenticates. ``created`` is
    a Unix time in seconds. ``descriptor`` is that of its socket, ``last_command`` what it asked last. ``marks`` are the
    flags that it set in CLIENT LIST; ``skips_reply``: it is muted for one command. ``load``: the requests in flight for
    it beyond one for each command.
    """

    __slots__ = (
        "address",
        "affinity",
        "at_close",
        "client",
        "created",
        "descriptor",
        "id",
        "is_held",
        "is_interrupted",
        "is_only_restricted",
        "is_plain",
        "is_quitting",
        "last_command",
        "library_name",
        "library_version",
        "load",
        "local_address",
        "marks",
        "name",
        "protocol",
        "skips_reply",
        "states",
        "subscriber",
        "suspend",
        "transaction",
        "unblock",
        "user",
        "watch",
    )

    def __init__(self, number: int, address: str, local_address: str, created: float) -> None:
        self.id = number
        self.affinity = 0
        self.protocol = 0
        self.speak(2)
        self.address = address
        self.local_address = local_address
        self.created = created
        self.is_plain = True
        self.is_only_restricted = False
        self.is_held = False
        self.is_quitting = False
        self.is_interrupted = False
        self.states = State(0)
        self.user: User = ANYONE
        self.name = b""
        self.library_name = b""
        self.library_version = b""
        self.client: Client | None = None
        self.descriptor = -1
        self.last_command: CommandSpec | None = None
        self.marks: set[str] = set()
        self.skips_reply = False
        self.load = 0
        self.at_close: set[Callable[[], None]] = set()
        self.transaction: Transaction | None = None
        self.watch: Watch | None = None
        self.unblock: Callable[[bool], bool] | None = None
        self.suspend: Callable[[Callable[[bytes], None]], None] | None = None
        self.subscriber: Subscriber | None = None

    @property
    def flow(self) -> Flow:
        """Whether the next command is taken, read off the flags that the data path tests."""
        if self.is_held:
            return Flow.LEAVING if self.is_quitting else Flow.HELD
        return Flow.QUITTING if self.is_quitting else Flow.TAKING

    def speak(self, protocol: int) -> None:
        """Speak RESP version ``protocol`` from now on."""
        self.protocol = protocol
        self.affinity = self.id * 2 + (protocol == 3)

    def enter(self, state: State) -> None:
        """Be in ``state`` from now on."""
        self._set_states(self.states | state)

    def leave(self, state: State) -> None:
        """Be in ``state`` no more."""
        self._set_states(self.states & ~state)

    def _set_states(self, states: State) -> None:
        self.states = states
        self.is_plain = not states
        self.is_only_restricted = states == State.RESTRICTED

    def let_go(self) -> None:
        """Give up everything that is held for the client."""
        self.transaction = None
        self.leave(State.IN_TRANSACTION)
        for farewell in list(self.at_close):
            farewell()
        self.at_close.clear()
        self.unblock = self.suspend = None

    def spoil(self) -> None:
        """A command was refused: if it is one of a transaction, that cannot be executed any more."""
        if self.transaction is not None:
            self.transaction.is_spoiled = True

    def discard(self) -> None:
        """Be in no transaction, and watch nothing more."""
        self.transaction = None
        self.leave(State.IN_TRANSACTION)
        if self.watch is not None:
            self.watch.end()

    def settle(self, then: Callable[[], None]) -> None:
        """Hold, and call ``then`` once every command before this one has been answered."""
        self.hold()
        if self.client is not None:
            self.client.settle(then)
        else:
            then()

    def quit(self) -> None:
        """Take no more commands; close when the replies have been sent."""
        self.is_quitting = True
        self.is_interrupted = True

    def hold(self) -> None:
        """Have the next command wait until ``release``."""
        self.is_held = True
        self.is_interrupted = True
        if self.client is not None:
            self.client.hold()

    def release(self) -> None:
        """Go on with the next command."""
        self.is_held = False
        self.is_interrupted = self.is_quitting
        if self.client is not None:
            self.client.release()
