"""Another rproxy in the place of this one: it is given the listening sockets, and then the clients.

The one that is there starts the other, with the command that started itself, and with an end of a socket pair whose
descriptor is in the environment. Through it go ``{"sockets": COUNT}`` and the listening sockets; when the other can
serve, ``{"heirs": COUNT}`` comes back with a socket for each of its workers, which take the clients (``hand_over``).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping

from rproxy.errors import StartError
from rproxy.server import parcels

VARIABLE = "RPROXY_PREDECESSOR"
"""Names the descriptor to the one that is started."""
_GENERATION = "RPROXY_GENERATION"
"""Names how many came before to the one that is started, and to its workers."""
READY_WITHIN = 30.0
"""Seconds that the other has to be able to serve."""
_MESSAGE_MOST = 4096


def generation() -> int:
    """How many rproxy there were in this place before this one."""
    told = os.environ.get(_GENERATION, "")
    return int(told) if told.isdecimal() else 0


class Predecessor:
    """The rproxy whose place this one takes: ``sockets`` are those that it listened at, by what they are for."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        count = json.loads(end.recv(_MESSAGE_MOST))["sockets"]
        self.sockets = parcels.receive(end, count)

    @classmethod
    def find(cls) -> Predecessor | None:
        """The one that started this process to be succeeded, if one did. Raises ``StartError``."""
        descriptor = os.environ.pop(VARIABLE, None)
        if descriptor is None:
            return None
        try:
            return cls(socket.socket(fileno=int(descriptor)))
        except (OSError, ValueError):
            raise StartError(f"{VARIABLE} names no rproxy that could be succeeded") from None

    def take(self, purpose: str) -> list[socket.socket]:
        """The sockets for ``purpose``, one for each worker that there was; empty if it had no such."""
        names = [name for name in self.sockets if name.rpartition("#")[0] == purpose]
        return [self.sockets.pop(name) for name in names]

    def tell_ready(self, heirs: list[socket.socket]) -> None:
        """This one can serve, and takes clients through ``heirs``, which are closed. Raises ``StartError``."""
        try:
            self._end.send(json.dumps({"heirs": len(heirs)}).encode())
            parcels.send(self._end, {str(number): heir for number, heir in enumerate(heirs)})
        except OSError:
            raise StartError("the rproxy whose place this one takes is gone") from None
        for sock in [*heirs, *self.sockets.values(), self._end]:
            sock.close()


class Successor:
    """The process that takes the place of this one, once it is ready."""

    def __init__(self, sockets: Mapping[str, socket.socket]) -> None:
        """Start it. Raises ``StartError``."""
        self._end, theirs = parcels.pair()
        self._end.settimeout(READY_WITHIN)
        with theirs:
            count = str(generation() + 1)
            environment = {**os.environ, VARIABLE: str(theirs.fileno()), _GENERATION: count}
            try:
                self._process = subprocess.Popen(  # noqa: S603 - the command of this very process
                    [sys.executable, *sys.orig_argv[1:]], env=environment, pass_fds=[theirs.fileno()]
                )
            except OSError as error:
                self._end.close()
                raise StartError(f"another rproxy cannot be started: {error.strerror}") from None
        with contextlib.suppress(OSError):  # if it has ended, that is noticed next
            self._end.send(json.dumps({"sockets": len(sockets)}).encode())
            parcels.send(self._end, sockets)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def heirs(self) -> list[socket.socket]:
        """Where its workers take clients, as soon as it can serve. Raises ``StartError`` if it cannot."""
        try:
            return await asyncio.to_thread(self._receive_heirs)
        except (OSError, ValueError) as error:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
            is_late = isinstance(error, TimeoutError)
            what = f"was not ready within {READY_WITHIN:g} s" if is_late else "has ended; its own lines say why"
            raise StartError(f"the other rproxy {what}") from None
        finally:
            self._end.close()

    def _receive_heirs(self) -> list[socket.socket]:
        count = json.loads(self._end.recv(_MESSAGE_MOST))["heirs"]
        return list(parcels.receive(self._end, count).values())

    def give_up(self) -> None:
        """End it: nobody is to be succeeded any more."""
        self._process.kill()
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)
