"""Finding out that a peer is gone without a word: the system probes connections on which nothing is sent."""

from __future__ import annotations

import socket

PROBES = 3
"""Unanswered probes, a tenth of the idle time apart but at least a second, after which the connection is lost."""


def keep_alive(sock: socket.socket, idle: int, *, may_stall: bool) -> None:
    """Probe the peer of ``sock``, or of what is accepted from it, after ``idle`` seconds of silence.

    A peer that is there and takes no bytes is given as long, unless it ``may_stall``. Options that a system does not
    have are left out.
    """
    interval = max(idle // 10, 1)
    options = {"TCP_KEEPIDLE": idle, "TCP_KEEPINTVL": interval, "TCP_KEEPCNT": PROBES}
    if not may_stall:
        options["TCP_USER_TIMEOUT"] = (idle + PROBES * interval) * 1000
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in options.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
