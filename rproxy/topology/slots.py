"""Hash slots: which of the 16384 a key belongs to.

The rule is the cluster specification's ("Key distribution model" and "Hash tags",
https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/). The hashing itself stands with the
scanners, which hash keys in place; this is its name for everyone above them.
"""

from __future__ import annotations

from rproxy.resp.hash_slot import hash_slot

__all__ = ["SLOT_COUNT", "hash_slot", "key_hash_part"]

SLOT_COUNT = 16384


def key_hash_part(key: bytes) -> bytes:
    """The bytes of ``key`` that are hashed: those between its first ``{`` and the next ``}``; all of it if none are."""
    _, brace, rest = key.partition(b"{")
    tag, closing, _ = rest.partition(b"}")
    return tag if brace and closing and tag else key
