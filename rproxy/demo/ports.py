"""Loopback ports for processes to be started, which no other process that asks here is given too.

A process takes whole blocks of ports. A block is its own for as long as it has the first port of it bound, which the
system undoes however the process ends. So nothing stays behind, and who shares a network shares the blocks.
"""

from __future__ import annotations

import os
import random
import socket
from collections import deque
from contextlib import suppress
from functools import cache
from pathlib import Path

from rproxy.errors import StartError

BUS_OFFSET = 10_000
"""A node's cluster bus listens at its port plus this, Redis's default."""
BLOCK = 100
"""Ports of a block, with the one that is bound to hold it."""
_HOST = "127.0.0.1"
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_EPHEMERAL = 32_768
_LOWEST = 1024 + BLOCK
_FEWEST_BLOCKS = 20


def free_port(*, with_bus: bool = False) -> int:
    """A loopback port where nobody listens and, ``with_bus``, neither on the cluster bus port beside it.

    The ports of this process are given out in turn, so one that was left comes again last. Raises ``StartError`` if
    there is none.
    """
    return _ports_of(os.getpid()).take(with_bus)


def usable_ports(ephemeral: int) -> range:
    """The first ports of all blocks, where the system's own choices begin at the port ``ephemeral``.

    All of a block lies below, its bus ports too, so that a killed node finds its port again; bus ports are in no block.
    Where there is no room below, the usual ports have to do.
    """
    end = ephemeral - BUS_OFFSET
    if end - _LOWEST < _FEWEST_BLOCKS * BLOCK:
        end = _USUAL_EPHEMERAL - BUS_OFFSET
    return range(max(end - BUS_OFFSET, _LOWEST), end - BLOCK + 1, BLOCK)


class _Ports:
    """The ports of one process, the next one first; blocks are added as they are needed."""

    def __init__(self) -> None:
        self._guards: list[socket.socket] = []
        self._ports: deque[int] = deque()

    def take(self, with_bus: bool) -> int:
        while True:
            for _ in range(len(self._ports)):
                port = self._ports[0]
                self._ports.rotate(-1)
                if _is_free(port) and (not with_bus or _is_free(port + BUS_OFFSET)):
                    return port
            self._add_block()

    def _add_block(self) -> None:
        firsts = usable_ports(_first_ephemeral())
        for first in random.sample(firsts, len(firsts)):
            guard = socket.socket()
            try:
                guard.bind((_HOST, first))  # without SO_REUSEADDR: the second who tries is refused
            except OSError:
                guard.close()
            else:
                self._guards.append(guard)
                self._ports.extendleft(reversed(range(first + 1, first + BLOCK)))
                return
        raise StartError(f"no free port on {_HOST}")


@cache
def _ports_of(process: int) -> _Ports:
    """The ports of a process by its id: one that is forked gets its own."""
    return _Ports()


def _first_ephemeral() -> int:
    with suppress(OSError, ValueError, IndexError):
        return int(_EPHEMERAL_RANGE.read_text().split()[0])
    return _USUAL_EPHEMERAL


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True
