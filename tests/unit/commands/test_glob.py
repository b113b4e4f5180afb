"""Glob-style patterns as Redis matches them."""

import pytest

from rproxy.commands.glob import any_of


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        (b"", [b""], [b"a"]),
        (b"abc", [b"abc"], [b"ab", b"abcd", b"ABC"]),
        (b"a*", [b"a", b"ab", b"a\nb"], [b"", b"ba"]),
        (b"a**b", [b"ab", b"a-b"], [b"a", b"abc"]),
        (b"*ab*b*c", [b"abbc", b"xabab-bc", b"abbcc"], [b"abc", b"babc", b"abb"]),
        (b"*a[bc]*?*", [b"abx", b"aabab"], [b"ab", b"aab"]),
        (b"a?", [b"ab", b"a\n"], [b"a", b"abc"]),
        (b"[abc]", [b"a", b"c"], [b"d", b"", b"ab"]),
        (b"[^abc]", [b"d"], [b"a", b""]),
        (b"[a-c]x", [b"bx"], [b"dx"]),
        (b"[c-a]", [b"b"], [b"d"]),
        (b"[a-]", [b"_", b"a", b"]"], [b"-", b"b"]),  # the bracket ends the range, not the set
        (b"[ab", [b"a"], [b"[ab"]),
        (b"[\\]]", [b"]"], [b"\\]", b"\\"]),
        (b"[]", [], [b"", b"]"]),
        (b"[^]", [b"x", b"]"], [b""]),
        (b"\\*", [b"*"], [b"a", b"\\*"]),
        (b"a\\", [b"a\\"], [b"a"]),
        (b"a.+(b)|^$", [b"a.+(b)|^$"], [b"ab", b""]),
        (b"\x00[\xf0-\xff]", [b"\x00\xf5"], [b"\x00\x01"]),
    ],
)
def test_a_pattern_matches_what_redis_says(pattern: bytes, matching: list[bytes], others: list[bytes]) -> None:
    matcher = any_of([pattern])
    assert [text for text in [*matching, *others] if matcher.fullmatch(text)] == matching


def test_one_of_several_patterns_is_enough() -> None:
    matcher = any_of([b"a*", b"[", b"b"])
    assert [text for text in (b"abc", b"b", b"bc", b"") if matcher.fullmatch(text)] == [b"abc", b"b"]


def test_no_pattern_matches_nothing() -> None:
    assert not any_of([]).fullmatch(b"")


def test_many_stars_take_no_time_without_end() -> None:
    assert not any_of([b"*a" * 30 + b"*b"]).fullmatch(b"a" * 5000)
