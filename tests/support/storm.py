"""Very many clients at a time: ``python -m tests.support.storm PORT COUNT``, a process with descriptors of its own.

Everybody connects, then everybody says PING, then everybody leaves. It fails if one of them gets no answer.
"""

from __future__ import annotations

import resource
import socket
import sys
from collections.abc import Sequence

PATIENCE = 120.0


def storm(port: int, count: int) -> None:
    """One round. The ports of one address would not suffice for many rounds."""
    clients = [
        socket.create_connection(("127.0.0.1", port), PATIENCE, (f"127.0.2.{1 + n % 50}", 0)) for n in range(count)
    ]
    for client in clients:
        client.sendall(b"PING\r\n")
    for client in clients:
        got = client.recv(100)
        if got != b"+PONG\r\n":
            raise ValueError(f"a client was answered {got!r}")
    for client in clients:
        client.close()


def main(arguments: Sequence[str]) -> int:
    """PORT COUNT."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    storm(*map(int, arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
