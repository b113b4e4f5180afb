"""How much a client may have under way: its connection is throttled beyond that, until replies have left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rproxy.dispatch.session import Session
from rproxy.downstream.flow import FIRST_GUESS, bounds, reply_size, window
from rproxy.downstream.reply_queue import ReplyQueue
from rproxy.transport.connection import Connection

if TYPE_CHECKING:
    from rproxy.downstream.listener import Listener

_LOOK_AFTER = 1024 * 1024
"""Bytes of replies after which the size of the next ones is guessed anew."""


class ThrottledConnection(Connection):
    """The flow of commands and replies of one client.

    A client with too much in flight is *throttled*: what it sent stays in the inbox, and nothing more is read from it,
    until replies have left. How much is too much follows from the size of its replies (``downstream.flow``). So is one
    that has had its share of a turn, until the next. A *crowded* one has more than half of what may wait for it.
    """

    __slots__ = (
        "_is_resuming",
        "_look_at",
        "_max_in_flight",
        "_output_limit",
        "_pause_at",
        "_progress",
        "_progress_at",
        "_pushes",
        "_reply_size",
        "_seen_answered",
        "_seen_passed",
        "_settling",
        "_window",
        "is_finishing",
        "is_throttled",
        "listener",
        "replies",
        "session",
    )

    def __init__(self, listener: Listener, session: Session) -> None:
        Connection.__init__(self, listener.turn, listener.traffic, False)
        self.listener = listener
        self.session = session
        self.replies = ReplyQueue(self)
        self.is_throttled = False
        self.is_finishing = False
        self._is_resuming = False
        self._settling: Callable[[], None] | None = None
        self._pushes: list[bytes] | None = None
        self._reply_size = FIRST_GUESS
        self._seen_passed = 0
        self._seen_answered = 0
        self._progress = 0
        self._progress_at = 0.0
        self.renew_limits()

    def renew_limits(self) -> None:
        """Take the limits from the listener, which may have others now."""
        self._output_limit = self.listener.output_limit
        self._max_in_flight = self.listener.max_in_flight
        self.replies.most, self._pause_at = bounds(self._output_limit)
        self._look()

    def unsent(self) -> int:
        """Bytes of replies that wait for the client, or for replies before them."""
        backlog = self.transport.backlog() if self.transport is not None else 0
        return self.outbox.unsent() + backlog + self.replies.held + self.replies.reserved

    def _room(self) -> int:
        """How many more requests may be in flight for the client."""
        pending = self.replies.pending()
        return min(self._window, self._max_in_flight - self.session.load) - pending

    def _look(self) -> None:
        """Guess the size of replies anew, and how many may be under way."""
        replies = self.replies
        passed, answered = self.outbox.gone + self.outbox.unsent() - replies.begun, replies.answered()
        size = reply_size(self._reply_size, passed - self._seen_passed, answered - self._seen_answered, replies.begun)
        self._reply_size = size
        self._seen_passed, self._seen_answered = passed, answered
        self._look_at = passed + (min(_LOOK_AFTER, self._pause_at) if answered else 1)
        self._window = window(replies.most - self.unsent(), size, self._max_in_flight)

    def _crowd(self) -> None:
        """Take no more commands until the client has taken replies, and see to it that this does not take for ever."""
        self._throttle()
        if self not in self.listener.crowded:
            self.listener.crowded.add(self)
            self._progress_at = self.turn.now

    def on_full(self) -> None:
        """So much waits for the client that nodes have to: it is throttled, in the middle of a batch too."""
        self.session.is_interrupted = True
        self._crowd()

    def look_after(self, now: float, patience: float) -> bool:
        """The janitor's round of a crowded client; false if there is no more to look after.

        It is closed if it has taken nothing for ``patience`` seconds, 0 for ever.
        """
        backlog = self.transport.backlog() if self.transport is not None else 0
        progress = self.outbox.gone - backlog + self.replies.answered()
        if not self.outbox.unsent() + backlog and not self.replies.feeders:
            return False
        if progress != self._progress:
            self._progress, self._progress_at = progress, now
        elif patience and now - self._progress_at > patience:
            self.give_up("slow")
        return True

    def _throttle(self) -> None:
        self.is_throttled = True
        self._watch(True)
        if self.transport is not None:
            self.transport.pause_reading()

    def _resume_soon(self) -> None:
        """Go on in the next turn: once, however many replies tell that there is room, since others have a turn too."""
        if not self._is_resuming:
            self._is_resuming = True
            self.turn.loop.call_soon(self._resume)

    def _resume(self) -> None:
        """Go on with what was left in the inbox, then read again."""
        self._is_resuming = False
        if self.transport is None or self.is_finishing or not self.is_throttled:
            return
        self.is_throttled = False
        self.session.is_interrupted = self.session.is_held or self.session.is_quitting
        self._look()
        if self.inbox is not None:
            self.receive(self.inbox, self.filled)
        if not self.is_throttled and self.transport is not None and not self.is_finishing:
            self._watch(False)
            self.transport.resume_reading()

    def _watch(self, is_watching: bool) -> None:
        """Whether to be told of replies and of what was sent: only while waiting for it."""
        self.replies.is_watched = is_watching or self._settling is not None or self._pushes is not None
        self.awaits_sent = is_watching
