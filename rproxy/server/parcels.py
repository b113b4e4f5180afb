"""Open sockets on their way from one process to another, each with its name (``SCM_RIGHTS``)."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping

AT_ONCE = 64
"""Sockets in one message; the kernel takes 253."""
_NAMES_MOST = 1024 * 1024

Sockets = dict[str, socket.socket]


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends for ``send`` and ``receive``: whole messages, in order."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(end: socket.socket, sockets: Mapping[str, socket.socket]) -> None:
    """Send copies of ``sockets``. Raises ``OSError`` if the other side is gone."""
    names = list(sockets)
    for start in range(0, len(names), AT_ONCE):
        part = names[start : start + AT_ONCE]
        socket.send_fds(end, [json.dumps(part).encode()], [sockets[name].fileno() for name in part])


def receive(end: socket.socket, count: int) -> Sockets:
    """``count`` sockets that have been sent. Raises ``OSError`` if there are fewer."""
    received: Sockets = {}
    while len(received) < count:
        data, descriptors, _, _ = socket.recv_fds(end, _NAMES_MOST, AT_ONCE)
        if not data:
            raise ConnectionError("the other side is gone")
        received |= {
            name: socket.socket(fileno=descriptor)
            for name, descriptor in zip(json.loads(data), descriptors, strict=True)
        }
    return received
