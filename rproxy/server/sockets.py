"""Listening sockets: opened before any worker starts, and kept while workers come and go."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from rproxy.config.changes import kept_sockets
from rproxy.config.converters import Address, host_port_text
from rproxy.config.models import Config, ListenerConfig
from rproxy.errors import StartError
from rproxy.transport.keepalive import keep_alive

KEEPALIVE = 300
"""Seconds of silence after which a client is probed, as Redis does (``tcp-keepalive``)."""
BACKLOG = 4096
"""Connections that may wait to be accepted; the system's ``somaxconn`` may allow fewer."""


Take = Callable[[str], list[socket.socket]]
"""Gives the sockets that another rproxy listened at, by what they are for."""


def no_one(_: str) -> list[socket.socket]:
    """Nobody's sockets."""
    return []


def purpose_of(name: str, address: Address) -> str:
    """What a listening socket is for: its address, or the listener's name where the system has chosen the port."""
    return str(address) if address.is_unix or address.port else name


def _one_each(sockets: list[socket.socket], count: int) -> list[socket.socket]:
    """A socket for each worker; workers share them if there are more. Those beyond are closed."""
    for sock in sockets[count:]:
        sock.close()
    return [
        sockets[number] if number < len(sockets) else sockets[number % len(sockets)].dup() for number in range(count)
    ]


class ListeningSockets:
    """The sockets of every listener, for every worker: ``of_worker[worker_id][listener_name]``.

    Several workers have a socket each on the same port (``SO_REUSEPORT``: the kernel spreads the clients over them);
    a Unix socket they share. ``addresses`` tells where they listen, the ports that the system chose included.
    ``take`` gives those that another rproxy listened at. A context manager that closes them. Raises ``StartError`` if
    an address cannot be had.
    """

    def __init__(self, config: Config, take: Take = no_one) -> None:
        self.of_worker: list[dict[str, socket.socket]] = [{} for _ in range(config.workers)]
        self._config = config
        self._take = take
        self._unused: list[socket.socket] = []
        self._paths: dict[str, int] = {}
        self.of_worker = self._open_all(config.listeners)
        self._take = no_one

    @property
    def addresses(self) -> list[str]:
        """Where they listen, in the order of the configuration."""
        return [address_of(self.of_worker[0][listener.name]) for listener in self._config.listeners]

    def open_new(self, config: Config) -> list[dict[str, socket.socket]]:
        """For each worker, the sockets of the listeners of ``config`` that are not there. Raises ``StartError``."""
        kept = kept_sockets(self._config, config)
        return self._open_all([listener for listener in config.listeners if listener.name not in kept])

    def adopt(self, config: Config, new: list[dict[str, socket.socket]]) -> None:
        """Be those of ``config``, with what ``open_new`` gave. What is not needed stays open until ``close_unused``."""
        kept = kept_sockets(self._config, config)
        before = self.of_worker
        self.of_worker = [
            {name: had[old] for name, old in kept.items()} | more for had, more in zip(before, new, strict=True)
        ]
        self._config = config
        needed = {sock for sockets in self.of_worker for sock in sockets.values()}
        self._unused += {sock for sockets in before for sock in sockets.values()} - needed

    def close_unused(self) -> None:
        """Close the sockets of listeners that are no more."""
        for sock in self._unused:
            sock.close()
        self._unused.clear()
        needed = {listener.address.path for listener in self._config.listeners}
        self._remove([path for path in self._paths if path not in needed])

    def _open_all(self, listeners: Iterable[ListenerConfig]) -> list[dict[str, socket.socket]]:
        opened: list[dict[str, socket.socket]] = [{} for _ in self.of_worker]
        try:
            for listener in listeners:
                for sockets, sock in zip(opened, self._open(listener), strict=True):
                    sockets[listener.name] = sock
        except BaseException:
            _close_all(opened)
            self._remove([listener.address.path for listener in listeners if listener.name in opened[0]])
            raise
        return opened

    def _open(self, listener: ListenerConfig) -> list[socket.socket]:
        address = listener.address
        taken = self._take(purpose_of(listener.name, address))
        if not address.is_unix:
            return _one_each(taken, len(self.of_worker)) if taken else listen_together(address, len(self.of_worker))
        shared = taken[0] if taken else listen(address)
        self._paths[address.path] = os.stat(address.path).st_ino
        return [shared] * len(self.of_worker)

    def to_hand_over(self) -> dict[str, socket.socket]:
        """All of them, by what they are for, for another rproxy to ``take``."""
        found: dict[str, socket.socket] = {}
        for listener in self._config.listeners:
            purpose = purpose_of(listener.name, listener.address)
            different = dict.fromkeys(sockets[listener.name] for sockets in self.of_worker)
            found |= {f"{purpose}#{number}": sock for number, sock in enumerate(different)}
        return found

    def give_away(self) -> None:
        """Another rproxy listens at them: leave the Unix sockets where they are."""
        self._paths.clear()

    def close(self) -> None:
        """Close them and remove the Unix sockets, unless someone else has opened one at the same path since."""
        self.close_unused()
        _close_all(self.of_worker)
        self._remove(list(self._paths))

    def _remove(self, paths: Iterable[str]) -> None:
        for path in paths:
            inode = self._paths.pop(path, None)
            with contextlib.suppress(FileNotFoundError):
                if inode is not None and os.stat(path).st_ino == inode:
                    os.unlink(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _close_all(of_worker: Iterable[dict[str, socket.socket]]) -> None:
    for sockets in of_worker:
        for sock in sockets.values():
            sock.close()


def listen_together(address: Address, count: int) -> list[socket.socket]:
    """``count`` sockets that listen at one TCP address. Raises ``StartError``."""
    if count == 1:
        return [listen(address)]
    if address.port:
        listen(address).close()  # to find the port taken: SO_REUSEPORT would share it, even with another rproxy
    opened = [listen(address, reuse_port=True)]
    port = opened[0].getsockname()[1]
    return opened + [listen(Address(address.host, port), reuse_port=True) for _ in range(count - 1)]


def listen(address: Address, *, reuse_port: bool = False) -> socket.socket:
    """A non-blocking socket that listens at ``address``. Raises ``StartError`` in one line."""
    try:
        return _listen_unix(address.path) if address.is_unix else _listen_tcp(address, reuse_port)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StartError(f"cannot listen on {address}: {reason[:1].lower()}{reason[1:]}") from None


def address_of(listening: socket.socket) -> str:
    """Where a socket listens, as the configuration writes it."""
    name = listening.getsockname()
    return host_port_text(*name[:2]) if isinstance(name, tuple) else f"unix:{name}"


def _listen_tcp(address: Address, reuse_port: bool) -> socket.socket:
    family, kind, protocol, _, place = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # [::] is every address, IPv4 too
        # Accepted sockets inherit these, which saves system calls for each.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        keep_alive(sock, KEEPALIVE, may_stall=True)
        sock.bind(place)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _listen_unix(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        sock.bind(path)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_stale(path: str) -> None:
    """Remove a socket that nobody listens at any more. Raises ``OSError`` if somebody does, or it is no socket."""
    if not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise OSError(errno.EEXIST, "there is a file that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
