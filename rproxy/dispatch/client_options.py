"""What a client sets for itself: CLIENT REPLY, NO-EVICT, NO-TOUCH, and tracking, which there is none of."""

from __future__ import annotations

from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.session import Session, State
from rproxy.resp import encode
from rproxy.resp.wire import Chunk
from rproxy.upstream.sink import Sink

SYNTAX = encode.error("ERR syntax error")
NO_TRACKING = encode.error(
    "ERR CLIENT TRACKING is not available through rproxy: the nodes see its connections, not its clients"
)
NOT_TRACKING = encode.error(
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
)
_NOTHING = b""
_IS_ON = {b"ON": True, b"OFF": False}


class Muted(Sink):
    """Fills the place of a command in the order of replies with no bytes."""

    __slots__ = ("sink",)

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    def affinity(self) -> int:
        """That of the client's session."""
        return self.sink.affinity()

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
        """Drop the reply."""
        self.sink.deliver(token, _NOTHING, 0, 0)


def sink_of(session: Session, sink: Sink) -> Sink:
    """Where the replies to the client's next command go: nowhere after CLIENT REPLY OFF, or SKIP."""
    if State.MUTED not in session.states:
        return sink
    if session.skips_reply:
        session.skips_reply = False
        session.leave(State.MUTED)
    return Muted(sink)


def unmute(command: Command) -> None:
    """Let the client have the reply to this command, and to the next ones."""
    session = command.session
    session.skips_reply = False
    session.leave(State.MUTED)
    if isinstance(command.sink, Muted):
        command.sink = command.sink.sink


def client_reply(command: Command, context: Context) -> bytes:
    """CLIENT REPLY ON | OFF | SKIP."""
    session, mode = command.session, command.args[2].upper()
    if mode == b"ON":
        unmute(command)
        return encode.OK
    if mode not in (b"OFF", b"SKIP"):
        return SYNTAX
    if mode == b"OFF" or State.MUTED not in session.states:
        session.skips_reply = mode == b"SKIP"
        session.enter(State.MUTED)
    return _NOTHING


def _mark(flag: str, command: Command) -> bytes:
    is_on = _IS_ON.get(command.args[2].upper())
    if is_on is None:
        return SYNTAX
    if is_on:
        command.session.marks.add(flag)
    else:
        command.session.marks.discard(flag)
    return encode.OK


def client_no_evict(command: Command, context: Context) -> bytes:
    """CLIENT NO-EVICT ON | OFF: rproxy evicts no clients."""
    return _mark("e", command)


def client_no_touch(command: Command, context: Context) -> bytes:
    """CLIENT NO-TOUCH ON | OFF: only noted, since connections to nodes are shared."""
    return _mark("T", command)


def client_tracking(command: Command, context: Context) -> bytes:
    """CLIENT TRACKING ON | OFF."""
    is_on = _IS_ON.get(command.args[2].upper())
    if is_on is None:
        return SYNTAX
    return NO_TRACKING if is_on else encode.OK


def client_caching(command: Command, context: Context) -> bytes:
    """CLIENT CACHING."""
    return NOT_TRACKING


def client_get_redir(command: Command, context: Context) -> bytes:
    """CLIENT GETREDIR: -1 without tracking."""
    return encode.integer(-1)


def client_tracking_info(command: Command, context: Context) -> bytes:
    """CLIENT TRACKINGINFO."""
    facts: dict[bytes, encode.Value] = {b"flags": encode.Distinct([b"off"]), b"redirect": -1, b"prefixes": []}
    return encode.reply(facts, command.session.protocol)


def client_capa(command: Command, context: Context) -> bytes:
    """CLIENT CAPA: capabilities that are not known are passed over, as Valkey does."""
    return encode.OK


HANDLERS = {
    b"CLIENT|CAPA": client_capa,
    b"CLIENT|CACHING": client_caching,
    b"CLIENT|GETREDIR": client_get_redir,
    b"CLIENT|NO-EVICT": client_no_evict,
    b"CLIENT|NO-TOUCH": client_no_touch,
    b"CLIENT|REPLY": client_reply,
    b"CLIENT|TRACKING": client_tracking,
    b"CLIENT|TRACKINGINFO": client_tracking_info,
}
