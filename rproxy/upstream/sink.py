"""Where a reply goes. Every request carries a sink and a token, and is delivered to exactly once."""

from __future__ import annotations

from rproxy.resp.wire import Chunk
from rproxy.transport.connection import Connection

WHOLE = 0
"""A large reply has to be collected, and delivered whole."""
RELAYED = 1
"""A large reply can be relayed as it comes."""
LATER = 2
"""It can be as soon as replies before it have come, and there is no room to collect it meanwhile."""


class Sink:
    """The base of the three sinks: a place in a client's reply order, a part of a fan-out, and discard."""

    __slots__ = ()

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> Sink | None:
        """Take the reply ``chunk[start:end]`` to what ``token`` stands for. The chunk is only valid during the call.

        What is returned is a sink that is full: it should be given no more until it has room (``await_room``).
        """
        return None

    def takes(self, token: int, size: int) -> int:
        """How a reply to ``token`` of ``size`` bytes or more may come: ``WHOLE``, ``RELAYED`` or ``LATER``."""
        return WHOLE

    def relay(self, token: int, chunk: Chunk, start: int, end: int, is_last: bool) -> Sink | None:
        """Take the next piece of a reply, as ``deliver`` does; nothing else is delivered to ``token``."""
        return None

    def await_room(self, feeder: Connection) -> None:
        """Have ``feeder`` go on when there is room, or when the reply can be relayed."""

    def give_up(self, reason: str) -> None:
        """Be rid of the client: it has a part of a reply whose rest never comes, or others wait for it too long."""

    def affinity(self) -> int:
        """That of the session that waits for the reply, -1 if none is known to."""
        return -1

    def asker(self) -> tuple[str, bytes]:
        """The address and the name of the client that waits for the reply, empty if there is none."""
        return "", b""

    def absorb(self, token: int, line: bytes) -> None:
        """Take note of an error among the replies of a request of several, before the last, which is delivered."""

    def cause(self, line: bytes) -> bytes:
        """The error that an error reply ``line`` is due to: itself, or one that was absorbed before it."""
        return line


class Discard(Sink):
    """Drops every reply."""

    __slots__ = ()

    def takes(self, token: int, size: int) -> int:
        """Drop a large one as it comes."""
        return RELAYED


DISCARD = Discard()
"""Of requests whose client has been answered already, and of the proxy's own commands."""
MIRRORED = Discard()
"""Of mirrored commands: redirected like a client's, but never made to wait."""
PROBED = Discard()
"""Of commands that are sent for the redirection that may come instead of a reply."""
