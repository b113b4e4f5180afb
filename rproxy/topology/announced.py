"""Where a node says another node is: one reading of the host and port in redirections and in CLUSTER SLOTS."""

from __future__ import annotations

import re

from rproxy.topology.snapshot import PORTS, Endpoint

UNKNOWN_HOSTS = (None, b"", b"?")
"""How a node words a host it does not know, or was told not to announce (``cluster-preferred-endpoint-type``)."""

_HOST = re.compile(rb"[0-9A-Za-z._:%-]{1,255}")


def announced_endpoint(host: bytes | None, port: int, asked: Endpoint) -> Endpoint | None:
    """The endpoint that node ``asked`` announced, ``None`` if it makes no sense.

    An unknown host stands for the host of the node that was asked, with the port that was announced (documentation of
    CLUSTER SLOTS, https://redis.io/docs/latest/commands/cluster-slots/; for ``?`` that is a guess, corrected by the
    next redirection).
    """
    if port not in PORTS:
        return None
    if host is None or host in UNKNOWN_HOSTS:
        return Endpoint(asked.host, port)
    if _HOST.fullmatch(host) is None:
        return None
    return Endpoint(host.decode("ascii"), port)
