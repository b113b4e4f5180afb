"""Key specifications: their notation, what they find, and how they are shown."""

from __future__ import annotations

import pytest

from rproxy.commands.key_spec import KeySpec, in_range, parse, read
from tests.support.described import INDEX_1, key_range, key_spec, keynum, keyword


@pytest.mark.parametrize(
    ("text", "described"),
    [
        ("RO access @1", key_spec(INDEX_1, key_range(0), b"RO", b"access")),
        ("OW @1..-1/2", key_spec(INDEX_1, key_range(-1, 2), b"OW")),
        ("RO @1#", key_spec(INDEX_1, keynum(), b"RO")),
        ("OW @1/2#", key_spec(INDEX_1, keynum(0, 1, 2), b"OW")),
        ("RO @STREAMS:1..-1%2", key_spec(keyword(b"STREAMS", 1), key_range(-1, 1, 2), b"RO")),
        ("RW @KEYS:-2..-1", key_spec(keyword(b"KEYS", -2), key_range(-1), b"RW")),
    ],
)
def test_the_notation(text: str, described: list[object]) -> None:
    assert parse(text) == read(described)


@pytest.mark.parametrize("text", ["", "RO", "RO @", "RO @x", "RO @1#/2", "RO @1..", "RO @KEYS"])
def test_what_is_no_notation(text: str) -> None:
    with pytest.raises(ValueError, match="is no key specification"):
        parse(text)


def test_fixed_positions() -> None:
    assert in_range(["RO"], 1, 2, 1) == parse("RO @1..1")
    assert in_range(["RO"], 1, -2, 1) == parse("RO @1..-2")
    assert in_range(["RO"], 2, 2, 1, "why") == parse("RO @2", "why")


def test_what_is_unknown_names_no_keys() -> None:
    spec = parse("RO @?")
    assert not spec.is_usable
    assert spec.positions([b"SORT_RO", b"a"]) == ()


def test_incomplete_is_not_usable_and_a_channel_no_key() -> None:
    assert not parse("RW incomplete @1").is_usable
    assert parse("RW @1").is_usable
    assert not parse("not_key @1").is_of_keys


def test_as_command_info_shows_it() -> None:
    assert parse("RO @STREAMS:1..-1%2", "why").value() == {
        b"notes": b"why",
        b"flags": ("RO",),
        b"begin_search": {b"type": b"keyword", b"spec": {b"keyword": b"STREAMS", b"startfrom": 1}},
        b"find_keys": {b"type": b"range", b"spec": {b"lastkey": -1, b"keystep": 1, b"limit": 2}},
    }
    assert KeySpec((), ("unknown", {}), ("unknown", {})).value() == {
        b"flags": (),
        b"begin_search": {b"type": b"unknown", b"spec": {}},
        b"find_keys": {b"type": b"unknown", b"spec": {}},
    }
