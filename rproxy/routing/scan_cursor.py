"""SCAN's cursor over several shards: the low part says which shard is walked, the rest is that node's own cursor.

The shards are walked in the order of their marks (``topology.shard_tags``). A joined cursor takes 22 bits more than the
node's own, a few more where a listener has several clusters. Own cursors are bounded by the size of the node's key
table (2**30 for a billion keys; newer servers add 14 bits for the slot), so joined ones stay far below the 2**64 of the
protocol, and below the 2**53 that JavaScript counts to for up to 2**31 keys a node.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from rproxy.resp import encode
from rproxy.topology.shard_tags import CHECK_BITS, TAG_BITS, Mark

_CURSOR_LIMIT = 1 << 64
_NUMBER = re.compile(rb"([+-]?)([0-9]+)")
_CHECKS = 1 << CHECK_BITS
_MARKS = 1 << (TAG_BITS + CHECK_BITS)


class Place(NamedTuple):
    """A shard in the order of the walk: the number of its cluster, and its mark."""

    cluster: int
    mark: Mark


def split_cursor(cursor: bytes, clusters: int) -> tuple[Place, int]:
    """The place that a cursor names, and the node's own cursor there. Raises ``ValueError`` if it is no cursor."""
    own, place = divmod(_number_of(cursor), clusters * _MARKS)
    cluster, mark = divmod(place, _MARKS)
    return Place(cluster, Mark(*divmod(mark, _CHECKS))), own


def _number_of(cursor: bytes) -> int:
    """As C's ``strtoul`` reads it."""
    number = _NUMBER.fullmatch(cursor or b"0")
    if number is None or int(number[2]) >= _CURSOR_LIMIT:
        raise ValueError("no cursor")
    return int(number[2]) if number[1] != b"-" else -int(number[2]) % _CURSOR_LIMIT


def join_cursor(place: Place, own: int, clusters: int) -> int:
    """The cursor that goes on at ``place`` with the node's own cursor."""
    mark = place.mark.tag * _CHECKS + place.mark.check
    return (own * clusters + place.cluster) * _MARKS + mark


def find_place(places: Sequence[Place], wanted: Place) -> tuple[int, bool] | None:
    """Where in the sorted ``places`` a walk that stands at ``wanted`` goes on; ``None`` if it is over.

    True if the node is still the one that was asked, so that its cursor counts. A shard with a new primary is walked
    from its beginning again; one that is gone has given its keys away, so the next follows.
    """
    if wanted in places:
        return places.index(wanted), True
    for index, place in enumerate(places):
        if (place.cluster, place.mark.tag) >= (wanted.cluster, wanted.mark.tag):
            return index, False
    return None


def page_of(reply: bytes) -> tuple[int, bytes]:
    """A node's own cursor and the encoded array of keys in its reply. Raises ``ValueError`` if it is no such page."""
    if not reply.startswith(b"*2\r\n$"):
        raise ValueError("no page of a scan")
    start = reply.index(b"\r\n", 4) + 2
    end = reply.index(b"\r\n", start)
    return int(reply[start:end]), reply[end + 2 :]


def page(cursor: int, keys: bytes) -> bytes:
    """SCAN's reply with the encoded array ``keys``."""
    return b"*2\r\n" + encode.bulk(b"%d" % cursor) + keys
