"""Commands with a large argument: handed to their node as they come from the client, on a leased connection.

A shared connection would be held up by a client that is slow to send. Earlier commands have been answered before, and
the next one waits, as with every pinned connection. Once begun, a command that is too large to be kept cannot be sent
elsewhere: so a small one asks for the node that serves its key first, and follows redirections. A client that leaves
in the middle closes the connection: the node never executes half a command.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rproxy.commands.spec import CommandSpec
from rproxy.dispatch.context import Context
from rproxy.dispatch.route import BoundRoute
from rproxy.dispatch.session import Session
from rproxy.resp import encode
from rproxy.resp.wire import COMMAND, MALFORMED, NEED_MORE, Chunk, RequestScanner
from rproxy.topology.redirection import ASKING, Redirection, RedirectionKind, classify
from rproxy.upstream.failure import BROKEN_OFF, LOST, TIMEOUT
from rproxy.upstream.pinned import PinnedConnection
from rproxy.upstream.pinned_call import PinnedCall
from rproxy.upstream.sink import Sink

LARGE = 1024**2
"""Bytes from which on an argument is handed on as it comes."""
ROOM = 4 * 1024**2
"""Bytes that may wait for the node before no more is read from the client."""
KEPT = 4 * 1024**2
"""Bytes of a command up to which it is kept until its node has answered, so that it can follow its slot."""
_MOVED = encode.error("TRYAGAIN the slot moved while the command was on its way: it was not executed")


def begin_upload(
    context: Context, session: Session, sink: Sink, open_place: Callable[[], int], scanner: RequestScanner
) -> Upload | None:
    """Begin with the command that ``scanner`` is in the middle of; ``None`` if it has to be there whole.

    It can be handed on if it writes one key, which has come, and nothing stands in its way.
    """
    if scanner.missing() < 1 or scanner.argc < 2 or not session.is_plain:
        return None
    spec: CommandSpec | None = scanner.find(context.commands)
    if spec is None or not (spec.has_fixed_keys and spec.is_plain and spec.is_write):
        return None
    count = scanner.argc + scanner.missing()
    key = scanner.arg(1)
    route = context.only_route or context.route_of(key)
    if not spec.first_key == spec.last_key_of(count) == 1 or route is None or not route.is_direct:
        return None
    if not spec.least <= count <= spec.most:
        return None
    session.last_command = spec
    upload = Upload(context, session, sink, open_place(), spec, route, key, scanner)
    upload.begin()
    return upload


class Behind:
    """The arguments behind a large one: small ones are given on when all have come, or when another large one follows.

    ``count`` is how many are to come, ``error`` what is wrong with them.
    """

    def __init__(self, scanner: RequestScanner) -> None:
        self.count = scanner.missing() - 1
        self._scanner = RequestScanner()
        self._scanner.max_argument_size = scanner.max_argument_size
        self._scanner.max_arguments = scanner.max_arguments
        self._given = b"", 0
        self._begin()

    @property
    def error(self) -> bytes:
        """See ``RequestScanner``."""
        return self._scanner.error

    def _begin(self) -> None:
        # They are scanned as a command of their own.
        self._scanner.restart()
        self._head = b"*%d\r\n" % self.count
        self._held = bytearray(self._head)

    def take(self, chunk: Chunk, start: int, end: int) -> tuple[int, int]:
        """Take of ``chunk[start:end]``: the status of the scan, and how many bytes were used up."""
        scanner, held, seen = self._scanner, self._held, len(self._held)
        held += chunk[start:end]
        status = scanner.next(held, 0, len(held))
        self._given = b"", 0
        if status == COMMAND:
            used = scanner.consumed - seen
            self._given = bytes(scanner.chunk[scanner.base + len(self._head) : scanner.base + scanner.size]), 0
            self.count = 0
            return status, used
        if status == NEED_MORE and scanner.needed > LARGE and scanner.missing() > 0:
            self._given = bytes(held[len(self._head) :]), scanner.needed - len(held)
            self.count = scanner.missing() - 1
            self._begin()
        return status, end - start

    def given(self) -> tuple[bytes, int]:
        """What goes on to the node of what was taken, and how many bytes of another large argument follow."""
        return self._given


class Upload:
    """One such command. ``takes``: its bytes can be used up; ``is_whole``: all have come."""

    def __init__(
        self,
        context: Context,
        session: Session,
        sink: Sink,
        token: int,
        spec: CommandSpec,
        route: BoundRoute,
        key: bytes,
        scanner: RequestScanner,
    ) -> None:
        self.takes = False
        self._cluster = route.cluster
        self._session = session
        self._sink = sink
        self._token = token
        self._stats = self._cluster.stats_of(spec) if context.counts_commands else None
        self._large = scanner.needed
        self._behind = Behind(scanner)
        self._slot = scanner.slot(1)
        self._kept: bytearray | None = bytearray()
        self._whole_at = 0.0
        self._answer = b""
        self._connection: PinnedConnection | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._call = PinnedCall(
            self._cluster,
            self._slot,
            lambda: encode.command([b"EXISTS", key]),
            self._on_found,
            is_resp3=session.protocol == 3,
            patience=self._cluster.op_timeout,
        )
        for mirror in route.mirrors:
            if mirror.wants(spec):
                mirror.dropped += 1

    @property
    def is_whole(self) -> bool:
        """Whether every byte of the command has come."""
        return self._large == 0 and self._behind.count == 0

    def begin(self) -> None:
        """Have the earlier commands answered, then look for the node."""
        self._session.at_close.add(self._leave)
        self._session.settle(self._call.start)

    def take(self, chunk: Chunk, start: int, end: int) -> int:
        """Take more of the command from ``chunk[start:end]``; the position up to where it was used up."""
        position = start
        while position < end and self.takes and not self.is_whole:
            if self._large:
                size = min(self._large, end - position)
                self._large -= size
                self._hand_on(chunk, position, position + size)
                position += size
            else:
                position = self._take_behind(chunk, position, end)
        if position > start and self.is_whole:
            self._on_whole()
        return position

    def _hand_on(self, chunk: Chunk, start: int, end: int) -> None:
        """Send bytes of the command to the node; the client waits if these are too many."""
        connection = self._connection
        if connection is None:
            return
        connection.outbox.append(chunk, start, end)
        connection.turn.mark(connection)
        if self._kept is not None:
            self._kept += chunk[start:end]
            if len(self._kept) > KEPT:
                self._kept = None
        backlog = connection.transport.backlog() if connection.transport is not None else 0
        if not self.is_whole and connection.outbox.unsent() + backlog > ROOM and self._session.client is not None:
            self._session.client.pause()
            connection.call_when_sent(self._read_on)

    def _take_behind(self, chunk: Chunk, start: int, end: int) -> int:
        """Take of what follows the large argument; the position after that."""
        status, used = self._behind.take(chunk, start, end)
        if status == MALFORMED:
            self._refuse(self._behind.error)
            return end
        data, self._large = self._behind.given()
        self._hand_on(data, 0, len(data))
        return start + used

    def _refuse(self, error: bytes) -> None:
        """What has come is no RESP: the node gets no more of it, and the client is closed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        self._answer = encode.error("ERR " + error.decode("latin-1"))
        self._session.quit()
        self._large = self._behind.count = 0

    def _on_found(self, connection: PinnedConnection | None, reply: bytes) -> None:
        """The node is found, or there is none: then what is to come is dropped, and answered with the error."""
        self.takes = True
        self._connection = connection
        if connection is None:
            self._answer = reply
        else:
            # A node that imports the slot wants to be told so; any other does not mind.
            connection.ask(ASKING, 2, self._on_replies)
        self._read_on()

    def _read_on(self) -> None:
        if self._session.client is not None:
            self._session.client.read_on()

    def _on_whole(self) -> None:
        self.takes = False  # what follows waits with the client, not here
        self._whole_at = self._cluster.turn.tick()
        if self._answer:
            self._finish(self._answer)
        else:
            loop = self._cluster.turn.loop
            self._timer = loop.call_later(self._cluster.op_timeout, self._on_timeout)

    def _on_replies(self, replies: list[bytes] | None) -> None:
        """The node has answered, or the connection was lost."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        place = connection.pins.pool.endpoint
        redirection: Redirection | None = None
        if replies is None:
            failure = LOST if self.is_whole else BROKEN_OFF
            answer = self._cluster.counted_line(failure, str(place), connection.reason)
        else:
            answer = replies[-1]
            is_error = self._cluster.follows_redirections and answer[:1] == b"-"
            redirection = classify(answer, place) if is_error else None
        if redirection is not None:
            self._learn(redirection)
            answer = _MOVED if redirection.kind.has_target else answer
        if not self.is_whole:
            connection.close()
            self._answer = answer
            self._read_on()
            return
        connection.pins.give_back(connection)
        if redirection is not None and self._kept is not None:
            self._send_again(bytes(self._kept))
        else:
            self._finish(answer)

    def _learn(self, redirection: Redirection) -> None:
        """Count the redirection, and know where the slot is now if it says so."""
        self._cluster.redirections[redirection.kind.value] += 1
        if redirection.kind is RedirectionKind.MOVED:
            self._cluster.move_slot(redirection.slot, redirection.endpoint)

    def _send_again(self, data: bytes) -> None:
        """Send the command, which was not executed, to where its slot is now, and wherever that leads."""
        if self._timer is not None:
            self._timer.cancel()

        def answered(connection: PinnedConnection | None, reply: bytes) -> None:
            if connection is not None:
                connection.pins.give_back(connection)
            self._finish(reply)

        self._cluster.retries += 1
        is_resp3, patience = self._session.protocol == 3, self._cluster.op_timeout
        self._call = PinnedCall(self._cluster, self._slot, lambda: data, answered, is_resp3=is_resp3, patience=patience)
        self._call.start()

    def _on_timeout(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            self._finish(self._cluster.counted_line(TIMEOUT, str(connection.pins.pool.endpoint)))

    def _finish(self, answer: bytes) -> None:
        self._end()
        if self._stats is not None:
            self._stats.record(answer.startswith(b"-"), self._cluster.turn.tick() - self._whole_at)
        self._sink.deliver(self._token, answer, 0, len(answer))
        self._session.release()

    def _end(self) -> None:
        self._session.at_close.discard(self._leave)
        self._kept = None
        if self._timer is not None:
            self._timer.cancel()

    def _leave(self) -> None:
        """The client is gone."""
        self._end()
        self._call.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
