"""A host of its own in network namespaces, whose packets can be made to vanish, as no relay can do it."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import pytest

NEAR, FAR = "10.77.0.1", "10.77.0.2"
_NEW_NETWORK = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class FarHost:
    """Two namespaces joined by a cable. Within the context this thread, and the processes that it starts, are in the
    near one, which has the address ``NEAR``; within ``entered`` in the far one, which has ``FAR``.

    Skips the test where the system does not allow it. A test that has used it is back where it was.
    """

    def __init__(self) -> None:
        self._home = self._near = -1
        self._far = 0

    def __enter__(self) -> Self:
        if not hasattr(_libc, "setns") or not all(map(shutil.which, ("ip", "nsenter", "sleep"))):
            pytest.skip("needs Linux with iproute2 and util-linux")
        self._home = _here()
        if _libc.unshare(_NEW_NETWORK):
            pytest.skip(f"network namespaces need root: {os.strerror(ctypes.get_errno())}")
        try:
            self._make()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _make(self) -> None:
        self._near = _here()
        _ip("link", "set", "lo", "up")
        _libc.unshare(_NEW_NETWORK)
        self._far = subprocess.Popen(["sleep", "600"]).pid
        _go(self._near)
        _ip("link", "add", "near", "type", "veth", "peer", "name", "far")
        _ip("link", "set", "far", "netns", str(self._far))
        _ip("address", "add", f"{NEAR}/30", "dev", "near")
        _ip("link", "set", "near", "up")
        self._there("link", "set", "lo", "up")
        self._there("address", "add", f"{FAR}/30", "dev", "far")
        self._there("link", "set", "far", "up")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _go(self._home)
        os.close(self._home)
        if self._near >= 0:
            os.close(self._near)
        if self._far:
            os.kill(self._far, 9)
            os.waitpid(self._far, 0)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be on the far host for a while."""
        far = os.open(f"/proc/{self._far}/ns/net", os.O_RDONLY)
        try:
            _go(far)
            yield
        finally:
            _go(self._near)
            os.close(far)

    def cut(self) -> None:
        """Let everything that the far host sends vanish, acknowledgements and resets too."""
        self._there("route", "add", "blackhole", f"{NEAR}/32")

    def mend(self) -> None:
        """Let it through again."""
        self._there("route", "del", "blackhole", f"{NEAR}/32")

    def _there(self, *arguments: str) -> None:
        subprocess.run(["nsenter", "-t", str(self._far), "-n", "ip", *arguments], check=True)


def _here() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def _go(namespace: int) -> None:
    if _libc.setns(namespace, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "setns")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
