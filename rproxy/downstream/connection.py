"""One client: its commands are scanned and dispatched in order, its replies leave in that order."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from rproxy.dispatch.session import Session
from rproxy.dispatch.upload import Upload
from rproxy.downstream.throttle import ThrottledConnection
from rproxy.resp import encode
from rproxy.resp.wire import COMMAND, MALFORMED, NEED_MORE, Chunk, RequestScanner
from rproxy.transport.phase import Phase

if TYPE_CHECKING:
    from rproxy.downstream.listener import Listener

_COMMAND = COMMAND
_NEED_MORE = NEED_MORE
_MALFORMED = MALFORMED
SHARE = 512
"""What the commands of one client may cost in one turn (see ``Dispatcher.dispatch``); the rest wait for the next."""
_SHARE = SHARE
_HELD_MOST = 1024 * 1024
"""Bytes read ahead of a client whose commands wait; no more is read from it beyond."""
_LARGE = 1024 * 1024
"""Bytes from which on a command is handed on as it comes, if it can be."""
REASONS = {
    "slow": "it has taken none of its replies for too long (see slow_client_timeout)",
    "in_the_way": "it takes a large reply so slowly that other clients wait behind it",
    "cut": "the node was lost in the middle of a large reply",
    "half": "it has sent half a command and nothing more for too long (see half_command_timeout)",
}
"""Why clients are given up, in a word and in the log."""

log = logging.getLogger("rproxy.listener")


class DownstreamConnection(ThrottledConnection):
    """A client's connection: ``dispatch.session.Client``."""

    __slots__ = ("_dispatcher", "_scanner", "_strict_scanner", "_upload", "heard_at")

    def __init__(self, listener: Listener, session: Session) -> None:
        ThrottledConnection.__init__(self, listener, session)
        session.client = self
        self.heard_at = self.turn.now
        self._dispatcher = listener.dispatcher
        self._scanner: RequestScanner | None = None
        self._strict_scanner: RequestScanner | None = None
        self._upload: Upload | None = None

    @property
    def phase(self) -> Phase:
        """Where it is in its life (``transport.phase.DOWNSTREAM``)."""
        if self.replies.is_closed:
            return Phase.CLOSED
        if self.is_finishing:
            return Phase.FINISHING
        return Phase.THROTTLED if self.is_throttled else Phase.OPEN

    def on_bytes(self, chunk: Chunk, start: int, end: int) -> int:
        """Dispatch every whole command, as far as there is room for their replies."""
        session = self.session
        dispatcher = self._dispatcher
        replies = self.replies
        scanner = self._scanner
        if scanner is None:
            scanner = self._strict_scanner
            if scanner is None:
                scanner = self.listener.scanner
        position = start
        self.heard_at = self.turn.now
        if self.is_finishing:
            return end  # a socket that is no longer read may still say its last when it breaks
        if self._waits(end - start):
            return start if self._upload is None else self._upload.take(chunk, start, end)
        share = _SHARE
        room = 0
        while position < end:
            if room <= 0 or share <= 0:
                room = self._go_on_with(share)
                if room <= 0:
                    break
            status = scanner.next(chunk, position, end)
            if status == _NEED_MORE:
                return self._on_part(scanner, chunk, position, end)
            if status == _COMMAND:
                cost = dispatcher.dispatch(session, replies, replies.open(), scanner)
                room -= cost
                share -= cost
            elif status == _MALFORMED:
                self._refuse(scanner.error)
                return end
            position += scanner.consumed
            if session.is_interrupted:
                self._scanner = None
                return self._interrupt(position, end)
        self._scanner = None
        return position

    def _on_part(self, scanner: RequestScanner, chunk: Chunk, start: int, end: int) -> int:
        """Keep the beginning of a command, or hand it on if it is large; up to where it is used up."""
        if scanner.needed > _LARGE and scanner.missing() > 0:
            self._upload = self._dispatcher.upload(self.session, self.replies, self.replies.open, scanner)
            if self._upload is not None:
                scanner.restart()
                self._scanner = None
                return start
        if scanner.needed > self.listener.max_command_size:
            scanner.restart()  # others may have it too
            self._refuse(b"Protocol error: too big command (see max_command_size)")
            return end
        self._keep_scanner(scanner)
        return start

    def _go_on_with(self, share: int) -> int:
        """The room for more requests; 0 if the client is throttled now: for want of room, or until its next share."""
        room = self._room()
        if room > 0 and share > 0:
            return room
        self._throttle()
        if room > 0:
            self._resume_soon()
        return 0

    def _waits(self, size: int) -> bool:
        """Whether the ``size`` bytes in the inbox have to wait: for a reply, or for room."""
        if self.session.is_held:
            if size > _HELD_MOST and (self._upload is None or not self._upload.takes):
                self._throttle()
            return True
        unsent = self.unsent()
        if self.outbox.gone + unsent >= self._look_at:
            self._look()
        if unsent >= self._pause_at:
            self._crowd()
            return True
        return False

    def give_up(self, reason: str) -> None:
        """Close a client that stands in the way, or has a part of a reply that nobody can complete."""
        self.listener.given_up[reason] += 1
        log.warning("client %s is closed: %s", self.session.address, REASONS[reason])
        self.close()

    def _interrupt(self, position: int, end: int) -> int:
        """Up to where the inbox is used up after a command with which the client quits, or has to wait."""
        if self.session.is_quitting:
            self.finish()
            return end
        return position

    def hold(self) -> None:
        """Leave what the client sends in the inbox until ``release``; see ``dispatch.session.Client``."""

    def release(self) -> None:
        """Go on with what was left in the inbox."""
        self._upload = None
        self.turn.loop.call_soon(self._go_on)

    def is_mid_upload(self) -> bool:
        """Whether a command is handed on of which the rest has yet to come."""
        return self._upload is not None and not self._upload.is_whole

    def is_mid_command(self) -> bool:
        """Whether all that is waited for is the rest of a command."""
        if self.is_throttled or self.is_finishing:
            return False
        if self._upload is not None:
            return not self._upload.is_whole
        return self.filled > 0 and not self.session.is_held and not self.replies.pending()

    def pause(self) -> None:
        """Read no more until ``read_on``."""
        self._throttle()

    def read_on(self) -> None:
        """Go on with a command that is handed on as it comes."""
        self.turn.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self.session.is_quitting:
            self.finish()
        elif self.is_throttled:
            self._resume()
        elif self.inbox is not None and self.transport is not None and not self.is_finishing:
            self.receive(self.inbox, self.filled)

    def settle(self, then: Callable[[], None]) -> None:
        """Call ``then`` once the reply of the last command is the only one missing."""
        if self.replies.pending() <= 1:
            then()
        else:
            self._settling = then
            self.replies.is_watched = True

    def _settle(self) -> None:
        then, self._settling = self._settling, None
        self._watch(self.is_throttled or self.is_finishing)
        if then is not None and not self.replies.is_closed:
            then()

    def settle_down(self) -> None:
        """Hold until every command so far has been answered, unless it is held already: then no other is under way.

        What waits for the replies is a place of its own, whose reply has no bytes.
        """
        if self.is_finishing or self.session.is_held or not self.replies.pending():
            return
        token = self.replies.open()

        def go_on() -> None:
            self.replies.deliver(token, b"", 0, 0)
            self.session.release()

        self.session.settle(go_on)

    def unread(self) -> bytes:
        """What the client has sent beyond the commands that were taken."""
        return bytes(self.inbox[: self.filled]) if self.inbox is not None else b""

    def resume(self, unread: bytes) -> None:
        """Begin with what another process has read from the client, and has not taken."""
        if unread:
            self.inbox = bytearray(unread)
            self.filled = len(unread)
            self.release()

    def leave(self) -> None:
        """Let another process, which has the socket too, go on with the client."""
        if self.transport is not None:
            self.transport.leave()
        self.close()

    def trust(self, is_trusted: bool) -> None:
        """Whether commands may be of any size. While they may not, the client has a scanner of its own."""
        if is_trusted:
            if self._strict_scanner is not None:
                self._strict_scanner.is_trusted = True  # it may be scanning what comes next
            self._strict_scanner = None
        elif self._strict_scanner is None:
            self._strict_scanner = self.listener.make_scanner()
            self._strict_scanner.is_trusted = False

    def push(self, data: bytes) -> None:
        """Send a push message between replies; a client that has too much unread is closed, as Redis does."""
        if self.is_finishing:
            return
        if self.replies.begun or self._pushes is not None:
            self._pushes = self._pushes or []
            self._pushes.append(data)
            self.replies.is_watched = True
        else:
            self.outbox.write(data)
            self.turn.mark(self)
        if self.unsent() + sum(map(len, self._pushes or ())) > self._output_limit:
            self.close()

    def _push_later(self) -> None:
        """Send the push messages that came in the middle of a reply."""
        if self._pushes is not None and not self.replies.begun:
            pushes, self._pushes = self._pushes, None
            for data in pushes:
                self.push(data)
            self._watch(self.is_throttled or self.is_finishing)

    def figures(self) -> tuple[int, int, int]:
        """See ``dispatch.session.Client``."""
        return int(self.turn.tick() - self.heard_at), self.filled, self.unsent()

    def _keep_scanner(self, scanner: RequestScanner) -> None:
        """Own the scanner while it is in the middle of a command; the other clients get a new one."""
        if self._scanner is None:
            self._scanner = scanner
            self.listener.renew_scanner()

    def on_delivered(self) -> None:
        """A reply was delivered while this connection waited for it."""
        self._push_later()
        self.replies.wake()
        if self._settling is not None and self.replies.pending() <= 1:
            self.turn.loop.call_soon(self._settle)
        if self.is_finishing:
            self.turn.mark(self)
        elif self.is_throttled and not self.session.is_held and self._room() >= (self._window + 1) // 2:
            self._resume_soon()

    def on_sent(self) -> None:
        """The outbox was sent."""
        self.replies.wake()
        if self.is_finishing:
            if self.replies.pending() == 0 and self.outbox.unsent() == 0:
                self.close()
        elif self.is_throttled and not self.session.is_held:
            self._resume_soon()

    def _refuse(self, error: bytes) -> None:
        """Answer a malformed stream, after the replies of the commands before it, and close."""
        self.on_no_resp()
        line = encode.error("ERR " + error.decode("latin-1"))
        self.replies.deliver(self.replies.open(), line, 0, len(line))
        self.finish()

    def on_no_resp(self) -> None:
        """See ``dispatch.session.Client``."""
        self.listener.protocol_errors += 1

    def finish(self) -> None:
        """Take no more commands; close when the last reply has been sent."""
        if self.is_finishing:
            return
        if self.is_mid_upload():
            self.close()  # the rest of the command will not be read
            return
        self.is_finishing = True
        self._watch(True)
        if self.transport is not None:
            self.transport.pause_reading()
        self.turn.mark(self)

    def on_eof(self) -> None:
        """The client will send no more: it still gets its replies, unless it waits for something yet to happen."""
        if self.session.is_held and self._upload is None:
            self.close()
        else:
            self.finish()

    def on_lost(self, reason: str) -> None:
        """The client is gone."""
        self.close()

    def _let_buffers_go(self) -> None:
        """Not wait with it for the collector, which comes when thousands of clients have gone."""
        self.outbox.clear()
        self.inbox = self._scanner = self._strict_scanner = self._upload = self._pushes = None
        self.filled = 0

    def close(self) -> None:
        """Close at once."""
        if not self.replies.is_closed:
            self.replies.close()
            self.replies.wake()
            self.session.let_go()
        self._let_buffers_go()
        self.is_finishing = True
        if self.transport is not None:
            self.transport.close()
        self.listener.on_closed(self)
