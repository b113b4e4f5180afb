"""A listening socket of a worker, and the clients that came through it."""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from rproxy.config.certificates import Certificates
from rproxy.dispatch.authentication import begin
from rproxy.dispatch.dispatcher import Dispatcher
from rproxy.dispatch.portable import Described, restore
from rproxy.dispatch.session import Session
from rproxy.downstream.balance import Balance
from rproxy.downstream.connection import REASONS, DownstreamConnection
from rproxy.downstream.throttle import ThrottledConnection
from rproxy.resp.wire import RequestScanner
from rproxy.transport.attach import accept, adopt, attach
from rproxy.transport.connection import Traffic, Turn

if TYPE_CHECKING:
    from rproxy.config.models import ListenerConfig

_TOO_MANY = b"-ERR max number of clients reached\r\n"
_LOOK_EVERY = 1.0
"""Seconds between two looks at how long each client has been silent; for short limits it is a quarter of them."""
_PAUSE = 0.1
"""Seconds without accepting after the system refused a connection (no descriptors left)."""

log = logging.getLogger("rproxy.listener")


class Listener:
    """Accepts clients; every one gets a session and a connection."""

    def __init__(
        self,
        settings: ListenerConfig,
        sock: socket.socket,
        dispatcher: Dispatcher,
        turn: Turn,
        next_client_id: Callable[[], int],
        balance: Balance | None = None,
    ) -> None:
        self.turn = turn
        self.traffic = Traffic()
        self.dispatcher = dispatcher
        self.former_name = settings.name
        self._set_up(settings)
        self.protocol_errors = 0
        self.rejected = 0
        self.given_up = Counter(dict.fromkeys(REASONS, 0))
        """Clients that were closed because their replies could not be brought to them, by reason."""
        self.crowded: set[ThrottledConnection] = set()
        """The clients that take no more commands before they have taken replies."""
        self.connections: set[DownstreamConnection] = set()
        self._socket = sock
        self._next_client_id = next_client_id
        self._balance = balance
        self._is_accepting = False
        self._is_open = False
        self._silence_checked_at = 0.0

    def _set_up(self, settings: ListenerConfig) -> None:
        limits = settings.limits
        self.name = settings.name
        self.settings = settings
        self.max_in_flight = limits.max_in_flight_per_client
        self.max_command_size = limits.max_command_size
        self.output_limit = limits.output_buffer_limit
        self.max_clients = limits.max_clients
        self.idle_timeout = limits.client_idle_timeout
        self.half_timeout = limits.half_command_timeout
        self.slow_timeout = limits.slow_client_timeout
        self.tls = Certificates(settings.tls, f"listener {settings.name}") if settings.tls is not None else None
        self.scanner = self.make_scanner()

    def reconfigure(self, settings: ListenerConfig) -> None:
        """Go by other settings from now on; clients stay, and have the new limits. TLS is for those that come."""
        self.former_name = self.name
        self._set_up(settings)
        for connection in self.connections:
            connection.renew_limits()

    def move(self, sock: socket.socket) -> None:
        """Accept clients at ``sock`` from now on, and those that wait at the old socket."""
        if sock is self._socket:
            return
        if self._is_accepting:
            self._on_readable()
        self._pause_accepting()
        self._socket = sock
        sock.setblocking(False)
        self._accept_again()

    def settle_clients(self) -> None:
        """Have every client's next command wait until its earlier ones have been answered.

        Commands that take another way from now on would overtake those that are under way.
        """
        for connection in self.connections:
            connection.settle_down()

    def renew_scanner(self) -> None:
        """A fresh scanner for the clients that are not in the middle of a command."""
        self.scanner = self.make_scanner()

    def make_scanner(self) -> RequestScanner:
        """A scanner with the limits of this listener."""
        limits = self.settings.limits
        scanner = RequestScanner()
        scanner.max_arguments = limits.max_arguments
        scanner.max_argument_size = limits.max_argument_size
        scanner.max_inline_size = limits.max_inline_size
        return scanner

    def open(self) -> None:
        """Accept clients from now on."""
        self._socket.setblocking(False)
        self._is_open = True
        self._accept_again()

    def _accept_again(self) -> None:
        if self._is_open and not self._is_accepting:
            self._is_accepting = True
            self.turn.loop.add_reader(self._socket, self._on_readable)

    def stop_accepting(self) -> None:
        """Accept no more; clients that are here stay."""
        self._is_open = False
        self._pause_accepting()

    def _pause_accepting(self) -> None:
        if self._is_accepting:
            self._is_accepting = False
            self.turn.loop.remove_reader(self._socket)

    def _on_readable(self) -> None:
        try:
            accept(self.turn, self._socket, self._make_connection, self._tls_context())
        except OSError as error:
            log.warning("listener %s cannot accept: %s", self.name, error.strerror)
            self._pause_accepting()
            self.turn.loop.call_later(_PAUSE, self._accept_again)

    def _make_connection(self, sock: socket.socket, peer: object) -> DownstreamConnection | None:
        if self._balance is not None and self._balance.hand_over(self.name, sock):
            return None
        return self._welcome(sock, peer)

    def adopt(self, sock: socket.socket) -> None:
        """Serve a client that another worker accepted."""
        sock.setblocking(False)
        try:
            connection = self._welcome(sock, sock.getpeername())
        except OSError:  # it has left already
            connection = None
        if connection is None:
            sock.close()
        else:
            adopt(self.turn, sock, connection, self._tls_context())

    async def resume(self, sock: socket.socket, described: Described, unread: bytes) -> None:
        """Serve a client that another process has served until now, as ``dispatch.portable`` tells of it."""
        sock.setblocking(False)
        try:
            connection = self._welcome(sock, sock.getpeername(), described)
        except OSError:  # it has left already
            connection = None
        if connection is None:
            sock.close()
            return
        restore(connection.session, described, self.dispatcher.context)
        await attach(self.turn, sock, connection)
        connection.resume(unread)

    def _tls_context(self) -> ssl.SSLContext | None:
        return self.tls.context if self.tls is not None else None

    def _welcome(
        self, sock: socket.socket, peer: object, described: Described | None = None
    ) -> DownstreamConnection | None:
        """A session for the client, who may be ``described`` by another process; ``None`` if there are too many."""
        if len(self.connections) >= self.max_clients:
            self.rejected += 1
            if self.tls is None:
                with suppress(OSError):
                    sock.send(_TOO_MANY)
            return None
        local = _address_text(sock.getsockname())
        client_id, created = (
            (described["id"], described["created"]) if described else (self._next_client_id(), time.time())
        )
        session = Session(client_id, _address_text(peer), local, created)
        connection = DownstreamConnection(self, session)
        begin(session, self.dispatcher.context.users)
        session.descriptor = sock.fileno()
        self.dispatcher.context.sessions[session.id] = session
        self.dispatcher.context.pause.watch(session)
        self.dispatcher.context.monitors.watch(session)
        self.connections.add(connection)
        self.traffic.opened += 1
        self._count(1)
        return connection

    def _count(self, change: int) -> None:
        self.traffic.active += change
        if self._balance is not None:
            self._balance.count(change)

    def on_closed(self, connection: DownstreamConnection) -> None:
        """A client's connection is closed."""
        if connection in self.connections:
            self.connections.remove(connection)
            self.crowded.discard(connection)
            self.dispatcher.context.sessions.pop(connection.session.id, None)
            self._count(-1)

    def tick(self, now: float) -> None:
        """The janitor's round: close clients that are silent or slow for too long, look after the certificates."""
        if self.tls is not None:
            self.tls.tick(now)
        for connection in list(self.crowded):
            if not connection.look_after(now, self.slow_timeout):
                self.crowded.discard(connection)
        limits = [limit for limit in (self.idle_timeout, self.half_timeout) if limit]
        if limits and now - self._silence_checked_at >= min(min(limits) / 4, _LOOK_EVERY):
            self._silence_checked_at = now
            self._close_silent(now, min(limits))

    def _close_silent(self, now: float, least: float) -> None:
        """Close clients that have been silent for too long, which is more than ``least`` seconds for any."""
        for connection in [each for each in self.connections if now - each.heard_at > least]:
            silence = now - connection.heard_at
            is_half = connection.is_mid_command()
            if is_half and 0 < self.half_timeout < silence:
                self.given_up["half"] += 1  # not logged: anybody can be many of these
                connection.close()
                continue
            is_idle = is_half or not connection.replies.pending()
            if is_idle and 0 < self.idle_timeout < silence and connection.session.subscriber is None:
                connection.close()

    def finish(self, *, keeps_socket: bool = False) -> None:
        """Refuse new clients; let every other have the replies of what it sent, then close it."""
        self.stop_accepting()
        if not keeps_socket:
            self._socket.close()
        for connection in list(self.connections):
            connection.finish()

    def close(self) -> None:
        """Close every client at once."""
        self.stop_accepting()
        for connection in list(self.connections):
            connection.close()


def _address_text(address: object) -> str:
    """``host:port`` of a socket address, ``[host]:port`` for IPv6; the path of a Unix socket."""
    if isinstance(address, tuple):
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return str(address or "unix")
