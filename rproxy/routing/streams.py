"""XREAD over streams in several slots: cut into one XREAD per slot, and put together again."""

from __future__ import annotations

from collections.abc import Sequence

from rproxy.resp import encode
from rproxy.resp.wire import ReplyScanner


def cut_streams(args: Sequence[bytes], positions: Sequence[int], chosen: Sequence[int]) -> list[bytes]:
    """The XREAD of the ``chosen`` ones among the key ``positions`` of a whole one."""
    ids = [args[position + len(positions)] for position in chosen]
    return [*args[: positions[0]], *(args[position] for position in chosen), *ids]


def join_streams(keys: Sequence[bytes], replies: Sequence[bytes], protocol: int) -> bytes:
    """The streams of all ``replies`` in the order of ``keys``, null if none has entries. Raises ``ValueError``."""
    found = [stream for reply in replies for stream in _streams_of(reply)]
    if not found:
        return b"*-1\r\n" if protocol == 2 else encode.NULL_3
    order = {key: index for index, key in reversed(list(enumerate(keys)))}
    found.sort(key=lambda stream: order.get(stream[0], len(order)))
    header = b"*%d\r\n" if protocol == 2 else b"%%%d\r\n"
    return header % len(found) + b"".join(encoded for _, encoded in found)


def _streams_of(reply: bytes) -> list[tuple[bytes, bytes]]:
    """Key and encoded form of each stream in an XREAD's reply: pairs in RESP2, two elements of a map in RESP3."""
    is_map = reply.startswith(b"%")
    if reply.startswith((b"*-1", b"_")):
        return []
    if not is_map and not reply.startswith(b"*"):
        raise ValueError("no streams")
    scanner = ReplyScanner()
    streams = []
    position = reply.index(b"\r\n") + 2
    while position < len(reply):
        start = position
        for _ in range(2 if is_map else 1):
            position += scanner.next(reply, position, len(reply))
        streams.append((_key_at(reply, start if is_map else start + len(b"*2\r\n")), reply[start:position]))
    return streams


def _key_at(reply: bytes, start: int) -> bytes:
    """The bulk string that begins at ``start``."""
    key = reply.index(b"\r\n", start) + 2
    return reply[key : key + int(reply[start + 1 : key - 2])]
