"""One reply from those of a split command's fragments.

The Python form of ``split_reply.pyx``; what the replies become is said in ``routing.assembler``.
"""

from __future__ import annotations

from rproxy.commands.spec import ResponsePolicy
from rproxy.dispatch.fragments import Fragments
from rproxy.dispatch.session import Session
from rproxy.metrics.counters import CommandStats
from rproxy.resp.wire import Chunk
from rproxy.routing.assembler import assemble
from rproxy.transport.connection import Turn
from rproxy.upstream.sink import Sink


class SplitReply(Sink):
    """The sink of the fragments (a token is a fragment's index): delivers to ``sink`` when the last has come.

    Until then all of them but one are ``load`` of the session.
    """

    __slots__ = (
        "_fragments",
        "_missing",
        "_policy",
        "_replies",
        "_session",
        "_sink",
        "_started",
        "_stats",
        "_token",
        "_turn",
    )

    def __init__(
        self,
        policy: ResponsePolicy,
        fragments: Fragments,
        sink: Sink,
        token: int,
        stats: CommandStats | None,
        turn: Turn,
        session: Session,
    ) -> None:
        self._policy = policy
        self._fragments = fragments
        self._sink = sink
        self._token = token
        self._stats = stats
        self._turn = turn
        self._session = session
        session.load += fragments.count - 1
        self._started = turn.now
        self._missing = fragments.count
        self._replies: list[bytes] = [b""] * fragments.count

    def affinity(self) -> int:
        """That of the client's session."""
        return self._sink.affinity()

    def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> Sink | None:
        """Take the reply of fragment ``token``."""
        self._replies[token] = bytes(chunk[start:end])
        self._missing -= 1
        if self._missing:
            return None
        fragments = self._fragments
        keys = [_keys_of(fragments, fragment) for fragment in range(fragments.count)]
        reply = assemble(self._policy, keys, self._replies)
        if self._stats is not None:
            self._stats.record(reply.startswith(b"-"), self._turn.now - self._started)
        self._session.load -= fragments.count - 1
        return self._sink.deliver(self._token, reply, 0, len(reply))


def _keys_of(fragments: Fragments, fragment: int) -> list[int]:
    keys = []
    key = fragments.first(fragment)
    while key >= 0:
        keys.append(key)
        key = fragments.next(key)
    return keys
