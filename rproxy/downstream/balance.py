"""Spreading clients evenly over the workers of one port.

The kernel spreads connections over the sockets of a port (``SO_REUSEPORT``) by a hash, which among a hundred clients
leaves one of two workers with a quarter too many. So a worker that accepts a client looks at how many each worker has,
in memory that they share, and hands the open socket to the one with the fewest (``SCM_RIGHTS``). That costs a message
per connection at most, nothing per command, and no process that all clients depend on.
"""

from __future__ import annotations

import mmap
import os
import socket
import tempfile
from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

GONE = 1 << 62
"""The number of clients of a worker that is to get none."""
_WIDTH = 8
_NAME_MOST = 4096

Adopt = Callable[[str, socket.socket], None]
"""Takes over a client: the listener's name and the open socket."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a worker needs to take part, as descriptors: the shared counts, its inbox, and the way to every inbox."""

    counts: int
    inbox: int
    outboxes: tuple[int, ...]

    def descriptors(self) -> list[int]:
        """All of them."""
        return [self.counts, self.inbox, *self.outboxes]


class Ledger:
    """The supervisor's part: owns the shared counts and the sockets between ``workers`` workers."""

    def __init__(self, workers: int) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        os.ftruncate(self._file.fileno(), workers * _WIDTH)
        self._counts = _counts_in(self._file.fileno())
        self._pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(workers)]

    def share_of(self, worker_id: int) -> Share:
        """What worker ``worker_id`` inherits."""
        outboxes = tuple(outbox.fileno() for _, outbox in self._pairs)
        return Share(self._file.fileno(), self._pairs[worker_id][0].fileno(), outboxes)

    def on_ended(self, worker_id: int) -> None:
        """A worker has ended: hand it no clients until the one in its place has begun."""
        self._counts[worker_id] = GONE

    def close(self) -> None:
        """Close it all."""
        for pair in self._pairs:
            for end in pair:
                end.close()
        self._file.close()


class Balance:
    """A worker's part."""

    def __init__(self, share: Share, worker_id: int) -> None:
        self._counts = _counts_in(share.counts)
        self._own = worker_id
        self._inbox = socket.socket(fileno=share.inbox)
        self._outboxes = [socket.socket(fileno=outbox) for outbox in share.outboxes]

    def begin(self, loop: AbstractEventLoop, adopt: Adopt) -> None:
        """Take over what other workers hand here, from now on."""
        self._counts[self._own] = 0
        self._inbox.setblocking(False)
        for outbox in self._outboxes:
            outbox.setblocking(False)
        loop.add_reader(self._inbox, self._on_handed, adopt)

    def refuse(self) -> None:
        """Ask for no more; what is under way is still taken over."""
        self._counts[self._own] = GONE

    def end(self, loop: AbstractEventLoop) -> None:
        """Take no more."""
        self.refuse()
        loop.remove_reader(self._inbox)

    def count(self, change: int) -> None:
        """This worker has ``change`` clients more."""
        if self._counts[self._own] < GONE:
            self._counts[self._own] += change

    def hand_over(self, listener_name: str, sock: socket.socket) -> bool:
        """Give the client to the worker that has the fewest, if that is fewer than here; whether it was given."""
        counts = self._counts
        fewest = min(range(len(self._outboxes)), key=counts.__getitem__)
        if counts[fewest] >= counts[self._own]:
            return False
        try:
            socket.send_fds(self._outboxes[fewest], [listener_name.encode()], [sock.fileno()])
        except OSError:
            return False  # its inbox is full, or it is gone: the client is served here
        counts[fewest] += 1
        return True

    def _on_handed(self, adopt: Adopt) -> None:
        with suppress(BlockingIOError):
            while True:
                name, descriptors, _, _ = socket.recv_fds(self._inbox, _NAME_MOST, 1)
                self.count(-1)  # counted by who handed it over; the listener counts it again
                for descriptor in descriptors:
                    adopt(name.decode(), socket.socket(fileno=descriptor))


def _counts_in(descriptor: int) -> memoryview:
    return memoryview(mmap.mmap(descriptor, 0)).cast("q")
