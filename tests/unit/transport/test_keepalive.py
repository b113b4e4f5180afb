"""The options by which the system finds out that a peer is gone."""

from __future__ import annotations

import socket

import pytest

from rproxy.transport.keepalive import PROBES, keep_alive

ON_LINUX = pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system has no TCP_USER_TIMEOUT")


@ON_LINUX
@pytest.mark.parametrize(
    ("idle", "may_stall", "interval", "user_timeout"),
    [(10, False, 1, 13_000), (300, True, 30, 0), (1, False, 1, 4_000)],
)
def test_a_silent_peer_is_probed(idle: int, may_stall: bool, interval: int, user_timeout: int) -> None:
    with socket.socket() as sock:
        keep_alive(sock, idle, may_stall=may_stall)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
        found = [sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names]
        assert found == [idle, interval, PROBES, user_timeout]


def test_options_that_a_system_lacks_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT"):
        monkeypatch.delattr(socket, name, raising=False)
    with socket.socket() as sock:
        keep_alive(sock, 10, may_stall=False)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
