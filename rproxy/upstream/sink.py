"""Where a reply goes. Every request carries a sink and a token, and is delivered to exactly once."""

from __future__ import annotations

from rproxy.resp.wire import Chunk


class Sink:
    """The base of the three sinks: a place in a client's reply order, a part of a fan-out, and discard."""

    __slots__ = ()

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
        """Take the reply ``chunk[start:end]`` to what ``token`` stands for. The chunk is only valid during the call."""

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


DISCARD = Discard()
"""Of requests whose client has been answered already, and of the proxy's own commands."""
MIRRORED = Discard()
"""Of mirrored commands: redirected like a client's, but never made to wait."""
