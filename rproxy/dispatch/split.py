"""Sending a command whose keys lie in several slots: one request per fragment."""

from __future__ import annotations

from rproxy.commands.spec import CommandSpec
from rproxy.dispatch.fragments import Fragments
from rproxy.dispatch.mirror import Mirror
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
    now = cluster.turn.now
    header_of_one = _header(spec, 1)
    for index in range(fragments.count):
        slot = fragments.slot(index)
        connection = cluster.connection_for(slot, spec.is_read, affinity)
        outbox = connection.outbox if connection is not None else Outbox()
        size = write_fragment(outbox, spec, scanner, fragments, index, header_of_one)
        if connection is not None:
            connection.enlist(sink, index, None, size, now, slot, spec.is_read, 0, 1)
        else:
            cluster.submit(Request(outbox.take(), sink, index, None, slot, spec.is_read, affinity, now))


def copy_fragments(mirror: Mirror, spec: CommandSpec, scanner: RequestScanner, fragments: Fragments) -> None:
    """Copy each fragment of the scanned command to a mirror that is a cluster, as far as it has room."""
    header_of_one = _header(spec, 1)
    for index in range(fragments.count):
        outbox = Outbox()
        size = write_fragment(outbox, spec, scanner, fragments, index, header_of_one)
        mirror.copy(spec, outbox.take(), 0, size, fragments.slot(index))


def write_fragment(
    outbox: Outbox,
    spec: CommandSpec,
    scanner: RequestScanner,
    fragments: Fragments,
    index: int,
    header_of_one: bytes,
) -> int:
    """Append fragment ``index`` of the scanned command to ``outbox``; its size in bytes.

    Nearly all fragments have one key: ``header_of_one`` is what they begin with, made once per command.
    """
    before = outbox.size()
    count = fragments.size(index)
    outbox.write(header_of_one if count == 1 else _header(spec, count))
    key = fragments.first(index)
    while key >= 0:
        position = spec.first_key + key * spec.key_step
        outbox.append(scanner.chunk, scanner.raw_start(position), scanner.raw_end(position + spec.key_step - 1))
        key = fragments.next(key)
    return outbox.size() - before


def _header(spec: CommandSpec, keys: int) -> bytes:
    """The beginning of a fragment with ``keys`` keys."""
    return b"*%d\r\n$%d\r\n%b\r\n" % (1 + keys * spec.key_step, len(spec.name), spec.name)
