"""Inline commands are split as ``sdssplitargs`` splits them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.resp.inline import split_inline


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", []),
        (b" \t ", []),
        (b"PING", [b"PING"]),
        (b"  SET  a\tb ", [b"SET", b"a", b"b"]),
        (b"a\vb\fc", [b"a", b"b", b"c"]),
        (b'SET a ""', [b"SET", b"a", b""]),
        (b"SET a ''", [b"SET", b"a", b""]),
        (b'"a b" c', [b"a b", b"c"]),
        (rb'"\n\r\t\b\a\"\\\q"', [b'\n\r\t\b\a"\\q']),
        (rb'"\x41\xfF\x00"', [b"A\xff\0"]),
        (rb'"\xg1\x4"', [b"xg1x4"]),
        (rb"'it\'s \n'", [rb"it's \n"]),
        (b"'a\"b'", [b'a"b']),
        (b'"a\'b"', [b"a'b"]),
        (b'a"b c"', [b"ab c"]),
        (rb"a\b", [rb"a\b"]),
        (b"\xff\xfe", [b"\xff\xfe"]),
    ],
)
def test_words(line: bytes, words: list[bytes]) -> None:
    assert split_inline(line) == words


@pytest.mark.parametrize("line", [b'"', b"'", b'"a', b"'a", b'a "b', b'"a"b', b"'a'b", rb'"a\"', rb"'a\'", b'"a\\'])
def test_unbalanced_quotes(line: bytes) -> None:
    assert split_inline(line) is None


@given(st.lists(st.binary(max_size=20), max_size=6))
def test_what_is_quoted_byte_by_byte_comes_back(words: list[bytes]) -> None:
    line = b" ".join(b'"' + b"".join(b"\\x%02x" % byte for byte in word) + b'"' for word in words)
    assert split_inline(line) == words


@given(st.binary(max_size=60))
def test_any_line_is_split_or_refused(line: bytes) -> None:
    words = split_inline(line)
    assert words is None or sum(map(len, words)) <= len(line)
