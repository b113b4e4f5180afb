"""SCAN's cursor over several shards: the low bits say which shard, the rest is that node's own cursor.

Shards are walked one after the other. A node's cursor stays far below 2**52 (it is bounded by the size of its key
table, with 14 bits of slot in newer servers), so the joined cursor fits in the 64 bits that client libraries expect.
"""

from __future__ import annotations

from rproxy.resp import encode

SHARD_BITS = 12
SHARD_LIMIT = 1 << SHARD_BITS
"""More shards than this cannot be walked."""
_CURSOR_LIMIT = 1 << 64


def split_cursor(cursor: bytes) -> tuple[int, bytes]:
    """The shard's number and the node's own cursor. Raises ``ValueError`` if it is no cursor."""
    if not cursor.isdigit() or int(cursor) >= _CURSOR_LIMIT:
        raise ValueError("no cursor")
    number = int(cursor)
    return number & (SHARD_LIMIT - 1), b"%d" % (number >> SHARD_BITS)


def join_cursor(reply: bytes, shard: int, shards: int) -> bytes:
    """A node's reply ``[cursor, keys]`` with the cursor that goes on from there; 0 after the last shard."""
    if not reply.startswith(b"*2\r\n$"):
        return reply
    cursor_start = reply.index(b"\r\n", 4) + 2
    cursor_end = reply.index(b"\r\n", cursor_start)
    own = int(reply[cursor_start:cursor_end])
    following = shard + 1 if shard + 1 < shards else 0
    joined = own << SHARD_BITS | shard if own else following
    return b"*2\r\n" + encode.bulk(b"%d" % joined) + reply[cursor_end + 2 :]
