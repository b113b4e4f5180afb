"""Sending a command whose keys lie in several slots: one request per fragment."""

from __future__ import annotations

from rproxy.commands.spec import CommandSpec
from rproxy.dispatch.fragments import Fragments
from rproxy.resp.wire import RequestScanner
from rproxy.transport.outbox import Outbox
from rproxy.upstream.cluster import Cluster
from rproxy.upstream.request import Request
from rproxy.upstream.sink import Sink


def send_fragments(
    cluster: Cluster, spec: CommandSpec, scanner: RequestScanner, fragments: Fragments, sink: Sink, affinity: int
) -> None:
    """Send each fragment of the scanned command to the endpoint of its slot, its index as token.

    A fragment is the command's name and, for each of its keys, the key and the arguments up to the next one. Fragments
    for one endpoint leave in one write: its outbox.
    """
    first = spec.first_key
    step = spec.key_step
    now = cluster.turn.now
    header_of_one = _header(spec, 1)
    for index in range(fragments.count):
        slot = fragments.slot(index)
        connection = cluster.connection_for(slot, spec.is_read, affinity)
        outbox = connection.outbox if connection is not None else Outbox()
        before = outbox.size()
        size = fragments.size(index)
        outbox.write(header_of_one if size == 1 else _header(spec, size))
        key = fragments.first(index)
        while key >= 0:
            position = first + key * step
            outbox.append(scanner.chunk, scanner.raw_start(position), scanner.raw_end(position + step - 1))
            key = fragments.next(key)
        size = outbox.size() - before
        if connection is not None:
            connection.enlist(sink, index, None, size, now, slot, spec.is_read, 0)
        else:
            cluster.submit(Request(outbox.take(), sink, index, None, slot, spec.is_read, affinity, now))


def _header(spec: CommandSpec, keys: int) -> bytes:
    """The beginning of a fragment with ``keys`` keys."""
    return b"*%d\r\n$%d\r\n%b\r\n" % (1 + keys * spec.key_step, len(spec.name), spec.name)
