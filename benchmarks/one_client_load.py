"""The load of one client that sends one command at a time.

redis-benchmark tells latencies in steps of 8 µs, which is a seventh of what one such command takes.
"""

from __future__ import annotations

import socket
import time
from itertools import cycle, islice

import hiredis

from benchmarks.cases import Case
from benchmarks.load import LoadError, LoadReport
from benchmarks.pipeline_load import HOST, batches_of, report_of

_TIMEOUT = 10
_BATCHES = 1000
_READ_SIZE = 65536


class OneClientLoad:
    """Writes a command on a blocking socket and waits for its reply."""

    name = "one blocking client"

    def can_run(self, case: Case) -> bool:
        """Whether the case is of one client without a pipeline."""
        return case.clients == 1 and case.pipeline == 1

    def run(self, case: Case, port: int, commands: int) -> LoadReport:
        """One run. Raises ``LoadError``."""
        try:
            with socket.create_connection((HOST, port), _TIMEOUT) as client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _run(client, islice(cycle(batches_of(case, _BATCHES)), commands))
        except OSError as error:
            raise LoadError(f"no answer from port {port}: {error}") from None


def _run(client: socket.socket, commands: islice[bytes]) -> LoadReport:
    reader = hiredis.Reader()
    latencies = []
    started = before = time.perf_counter()
    for command in commands:
        client.sendall(command)
        while (reply := reader.gets()) is False:
            received = client.recv(_READ_SIZE)
            if not received:
                raise LoadError("the proxy closed a connection")
            reader.feed(received)
        if isinstance(reply, hiredis.ReplyError):
            raise LoadError(f"the proxy answered: {reply}")
        now = time.perf_counter()
        latencies.append(now - before)
        before = now
    return report_of(latencies, 1, before - started)
