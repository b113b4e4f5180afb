"""Handing clients over to the workers of another rproxy, which goes on with them on the connections that they have.

Each heir has a socket pair, of which a worker that ends has this end. A message is JSON: a client, with its socket and,
where there is any, a file with what it has sent beyond the commands that were taken; or what clients to come rely on:
topics that they are subscribed to, or a file with the scripts that they have sent. What is published to these topics
waits there for the subscribers, until they are said to be ``settled``. A client is handed over between two commands:
everything before has been answered and sent.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import tempfile
from collections.abc import Sequence
from contextlib import suppress

from rproxy.dispatch.portable import describe, is_movable
from rproxy.downstream.connection import DownstreamConnection
from rproxy.downstream.listener import Listener

ROUND = 0.005
"""Seconds between two looks at who can be handed over."""
AT_ONCE = 64
"""Clients that are looked at before those who go on have their turn."""
UNREAD_MOST = 8 * 1024**2
"""Bytes that may go with a client: who is in the middle of a larger command comes to its end first."""
SUBSCRIBERS_AFTER = 1.0
"""Seconds that the heirs have to subscribe to the topics of clients to come, so that these miss nothing."""
SETTLED_AFTER = 0.5
"""Seconds that an heir may need to take the last subscriber, who may come to another than who publishes."""
SUBSCRIBERS_BY = 3.0
"""Seconds after which who publishes at the heirs waits no longer for subscribers to come."""
QUIET = 1.0
"""Seconds of silence after which a client that cannot be handed over (TLS) is taken for idle."""

log = logging.getLogger("rproxy.restart")


class HandOver:
    """Hands over the clients of ``listeners`` to ``heirs``, in turn."""

    def __init__(self, listeners: Sequence[Listener], heirs: Sequence[socket.socket]) -> None:
        self._listeners = listeners
        self._heirs = list(heirs)
        for heir in self._heirs:
            heir.setblocking(False)
        self._held: dict[DownstreamConnection, int] = {}
        self._settled: set[DownstreamConnection] = set()
        self._suspending: set[DownstreamConnection] = set()
        self._suspended: dict[DownstreamConnection, bytes] = {}
        self._count = 0
        self._began = 0.0
        self._last_subscriber_at = 0.0
        self._are_settled = True

    async def run(self, seconds: float) -> None:
        """Hand over everyone who comes to the end of a command within ``seconds``."""
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        self._announce_scripts()
        self._announce_topics()
        while self._heirs and loop.time() < self._began + seconds:
            if not any(listener.connections for listener in self._listeners):
                break
            waiting = [connection for listener in self._listeners for connection in listener.connections]
            for start in range(0, len(waiting), AT_ONCE):
                # Those that are held first: they have come to the end of a command meanwhile.
                for connection in [*self._settled, *waiting[start : start + AT_ONCE]]:
                    self._look_at(connection, loop.time())
                await asyncio.sleep(0)
            self._look_at_subscribers(waiting, loop.time() - self._began)
            await asyncio.sleep(ROUND)
        self._release_all()
        if not self._are_settled:
            await asyncio.sleep(SETTLED_AFTER)
            self._tell_settled()
        for heir in self._heirs:
            heir.close()
        log.info("%d clients were handed over", self._count)

    def _announce_scripts(self) -> None:
        if not self._listeners:
            return
        listener = self._listeners[0]  # all of a worker have the same
        bodies = [body.decode("latin-1") for body in listener.dispatcher.context.scripts.bodies()]
        if not bodies:
            return
        message = json.dumps({"listener": listener.name, "scripts": len(bodies)}).encode()
        for heir in self._heirs:
            with suppress(OSError):  # then EVALSHA finds those alone that the nodes have
                _send(heir, message, [], json.dumps(bodies).encode())

    def _announce_topics(self) -> None:
        for listener in self._listeners:
            topics = {
                (kind, name)
                for connection in listener.connections
                for kind, names in describe(connection.session)["topics"].items()
                for name in names
            }
            for start in range(0, len(topics), 100):
                part = sorted(topics)[start : start + 100]
                self._are_settled = False
                self._tell({"listener": listener.name, "topics": part, "process": os.getpid()})

    def _look_at_subscribers(self, connections: Sequence[DownstreamConnection], seconds: float) -> None:
        """Tell the heirs when all subscribers are there, or when those still here are to be awaited no more."""
        if self._are_settled or seconds < SUBSCRIBERS_AFTER:
            return
        if any(connection.session.subscriber is not None for connection in connections):
            self._last_subscriber_at = seconds
        if seconds > min(max(self._last_subscriber_at, SUBSCRIBERS_AFTER) + SETTLED_AFTER, SUBSCRIBERS_BY):
            self._tell_settled()

    def _tell_settled(self) -> None:
        self._are_settled = True
        self._tell({"settled": os.getpid()})

    def _tell(self, message: dict[str, object]) -> None:
        data = json.dumps(message).encode()
        for heir in self._heirs:
            with suppress(OSError):  # then their clients may miss a message
                heir.send(data)

    def _look_at(self, connection: DownstreamConnection, now: float) -> None:
        """Hand a client over if it is between two commands; have it come there if it is not."""
        session = connection.session
        if connection.is_finishing or connection.transport is None:
            return
        listener: Listener = connection.listener
        if listener.tls is not None:
            self._end_politely(connection)
            return
        if session.suspend is not None and connection not in self._suspending:
            self._suspend(connection)
        if connection in self._suspended:
            self._send(connection)
            return
        if session.is_held and connection not in self._held:
            return
        if not is_movable(session, listener.dispatcher.context):
            self._release(connection)
        elif session.subscriber is not None and now < self._began + SUBSCRIBERS_AFTER:
            return
        elif connection in self._held or connection.replies.pending():
            self._hold(connection)
            if connection in self._settled:
                self._send(connection)
        else:
            self._send(connection)

    def _end_politely(self, connection: DownstreamConnection) -> None:
        """Close a client right behind a reply, so that it notices before its next command, or when it is idle."""
        is_idle = connection.turn.tick() - connection.heard_at > QUIET
        if connection.replies.pending() or is_idle:
            connection.finish()

    def _hold(self, connection: DownstreamConnection) -> None:
        if connection in self._held:
            return
        self._held[connection] = connection.replies.open()
        connection.session.settle(lambda: self._settled.add(connection))

    def _suspend(self, connection: DownstreamConnection) -> None:
        """Have a blocked client wait no more; it goes on to wait at the heir, which gets its command."""
        suspend = connection.session.suspend
        if suspend is not None and is_movable(
            connection.session, connection.listener.dispatcher.context, may_wait=True
        ):
            self._suspending.add(connection)
            suspend(lambda command: self._suspended.update({connection: command}))

    def _wait_again(self, connection: DownstreamConnection) -> None:
        """Have a client that was to wait at an heir wait here."""
        command = self._suspended.pop(connection)
        if not connection.is_finishing:
            connection.inbox = bytearray(command + connection.unread())
            connection.filled = len(connection.inbox)
            connection.session.release()

    def _release(self, connection: DownstreamConnection) -> None:
        token = self._held.pop(connection, None)
        self._settled.discard(connection)
        if token is not None:
            connection.replies.deliver(token, b"", 0, 0)
            connection.session.release()

    def _release_all(self) -> None:
        for connection in list(self._held):
            self._release(connection)
        for connection in list(self._suspended):
            self._wait_again(connection)

    def _send(self, connection: DownstreamConnection) -> None:
        if connection.unsent():
            return
        unread = self._suspended.get(connection, b"") + connection.unread()
        if len(unread) > UNREAD_MOST:
            self._release(connection)
            return
        heir = self._heirs[self._count % len(self._heirs)] if self._heirs else None
        if heir is None:
            return
        try:
            session = connection.session
            message = json.dumps({"listener": connection.listener.name, "session": describe(session)}).encode()
            _send(heir, message, [session.descriptor], unread)
        except BlockingIOError:
            return  # it has much to take: in a later round
        except OSError as error:
            log.warning("a worker of the other rproxy is gone: %s", error.strerror)
            self._heirs.remove(heir)
            heir.close()
            return
        self._count += 1
        self._held.pop(connection, None)
        self._settled.discard(connection)
        self._suspended.pop(connection, None)
        connection.leave()


def _send(heir: socket.socket, message: bytes, descriptors: list[int], content: bytes) -> None:
    """Send a message with descriptors, and ``content``, where there is any, in a file after them."""
    if not content:
        socket.send_fds(heir, [message], descriptors)
        return
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        socket.send_fds(heir, [message], [*descriptors, file.fileno()])
