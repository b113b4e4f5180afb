"""Descriptions of commands as nodes give them in answer to COMMAND INFO."""

from __future__ import annotations

from typing import Any

INDEX_1: list[Any] = [b"type", b"index", b"spec", [b"index", 1]]
RANGE_1: list[Any] = [b"type", b"range", b"spec", [b"lastkey", 0, b"keystep", 1, b"limit", 0]]


def key_spec(begin: list[Any] = INDEX_1, find: list[Any] = RANGE_1, *flags: bytes) -> list[Any]:
    """A key specification."""
    return [b"flags", list(flags), b"begin_search", begin, b"find_keys", find]


def keyword(word: bytes, start: int) -> list[Any]:
    return [b"type", b"keyword", b"spec", [b"keyword", word, b"startfrom", start]]


def key_range(last: int, step: int = 1, limit: int = 0) -> list[Any]:
    return [b"type", b"range", b"spec", [b"lastkey", last, b"keystep", step, b"limit", limit]]


def keynum(count_at: int = 0, first: int = 1, step: int = 1) -> list[Any]:
    return [b"type", b"keynum", b"spec", [b"keynumidx", count_at, b"firstkey", first, b"keystep", step]]


def entry(
    name: bytes,
    flags: str = "write module",
    keys: tuple[int, int, int] = (1, 1, 1),
    *,
    arity: int = -1,
    tips: tuple[bytes, ...] = (),
    specs: tuple[list[Any], ...] = (),
    subcommands: tuple[list[Any], ...] = (),
) -> list[Any]:
    """What a Redis 7 says of a command."""
    words = [flag.encode() for flag in flags.split()]
    return [name, arity, words, *keys, [b"@slow"], list(tips), list(specs), list(subcommands)]
