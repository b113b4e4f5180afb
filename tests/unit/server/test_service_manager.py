import socket
from pathlib import Path

import pytest

from rproxy.server.service_manager import tell, tell_reloading


def test_systemd_is_told_where_it_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        tell("MAINPID=7", "READY=1")
        assert systemd.recv(100) == b"MAINPID=7\nREADY=1"
        tell_reloading()
        first, second = systemd.recv(100).split(b"\n")
        assert first == b"RELOADING=1"
        assert second.removeprefix(b"MONOTONIC_USEC=").isdigit()


def test_an_abstract_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0rproxy-test-notify")
        monkeypatch.setenv("NOTIFY_SOCKET", "@rproxy-test-notify")
        tell("READY=1")
        assert systemd.recv(100) == b"READY=1"


@pytest.mark.parametrize("path", ["", "vsock:2:1", "/no/such/socket"])
def test_where_nobody_listens_nothing_happens(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    tell("READY=1")
