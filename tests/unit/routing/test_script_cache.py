"""Bodies of scripts by their digests."""

from __future__ import annotations

import hashlib

from rproxy.routing.script_cache import ScriptCache
from rproxy.topology.snapshot import Endpoint

NODE = Endpoint("127.0.0.1", 1)


def digest(body: bytes) -> bytes:
    return hashlib.sha1(body).hexdigest().encode()


def test_a_script_is_found_by_its_digest_with_who_has_it() -> None:
    cache = ScriptCache()
    cache.remember(b"return 1")
    cache.remember(b"return 1", [NODE])
    script = cache.find(digest(b"return 1"))
    assert script is not None
    assert (script.body, script.endpoints) == (b"return 1", {NODE})
    assert cache.find(digest(b"return 2")) is None


def test_the_one_used_longest_ago_makes_room() -> None:
    cache = ScriptCache(limit=30)
    for body in (b"a" * 10, b"b" * 10, b"c" * 10):
        cache.remember(body)
    cache.find(digest(b"a" * 10))
    cache.remember(b"d" * 10)
    assert [cache.find(digest(body * 10)) is not None for body in (b"a", b"b", b"c", b"d")] == [True, False, True, True]


def test_one_larger_than_the_bound_is_not_kept() -> None:
    cache = ScriptCache(limit=10)
    cache.remember(b"a" * 10)
    cache.remember(b"b" * 11)
    assert cache.find(digest(b"a" * 10)) is not None
    assert cache.find(digest(b"b" * 11)) is None


def test_what_is_forgotten_gives_its_room_back() -> None:
    cache = ScriptCache(limit=20)
    cache.remember(b"a" * 15)
    cache.forget(digest(b"a" * 15))
    cache.forget(digest(b"never"))
    cache.remember(b"b" * 15)
    cache.clear()
    cache.remember(b"c" * 10)
    cache.remember(b"d" * 10)
    assert cache.find(digest(b"c" * 10)) is not None
