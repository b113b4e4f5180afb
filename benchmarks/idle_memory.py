"""Resident memory per idle client: many connections, each of which has sent one PING."""

from __future__ import annotations

import resource
import socket
from contextlib import ExitStack

from benchmarks.backends import Backends
from benchmarks.load import LoadError
from benchmarks.peer_process import HOST, PeerProcess
from benchmarks.peers import Peer
from benchmarks.results import MemorySample

_PING = b"*1\r\n$4\r\nPING\r\n"
_PONG = b"+PONG\r\n"
_SPARE_FILES = 200


def measure(peer: Peer, backends: Backends, clients: int) -> MemorySample:
    """Start a fresh process and connect ``clients`` clients. Raises ``StartError`` or ``LoadError``."""
    with PeerProcess(peer, backends.nodes(peer.backend)) as process, ExitStack() as stack:
        stack.enter_context(connect(process.port))
        at_rest = process.resident_memory()
        for _ in range(clients):
            stack.enter_context(connect(process.port))
        return MemorySample(at_rest, (process.resident_memory() - at_rest) / clients)


def raise_file_limit(files: int) -> str | None:
    """Let this process and its children open ``files`` files and some more; one line if the system forbids it."""
    wanted = files + _SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        return f"{files:,} connections need {wanted:,} open files and the hard limit is {hard:,}: raise it (ulimit -Hn)"
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return None


def connect(port: int) -> socket.socket:
    """A client that has sent one PING and had its answer. Raises ``LoadError``."""
    client = socket.create_connection((HOST, port), timeout=10)
    client.sendall(_PING)
    answer = client.recv(len(_PONG))
    if answer != _PONG:
        client.close()
        raise LoadError(f"PING was answered {answer!r}")
    return client
