"""What systemd is told of this process, where it runs as ``Type=notify`` (``sd_notify(3)``)."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress


def tell(*assignments: str) -> None:
    """Tell ``READY=1`` and the like, if there is someone to tell."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = f"\0{path[1:]}" if path.startswith("@") else path
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto("\n".join(assignments).encode(), address)


def tell_reloading() -> None:
    """Another configuration is being applied; ``READY=1`` ends it."""
    tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
