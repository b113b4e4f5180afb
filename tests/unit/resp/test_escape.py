"""Bytes as text, in Redis's way."""

from __future__ import annotations

import pytest

from rproxy.resp.escape import quoted


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"", b'""'),
        (b"a b", b'"a b"'),
        (b'"\\', b'"\\"\\\\"'),
        (b"\n\r\t\a\b\0\xff\x7f", b'"\\n\\r\\t\\a\\b\\x00\\xff\\x7f"'),
    ],
)
def test_what_cannot_be_printed_is_escaped(data: bytes, shown: bytes) -> None:
    assert quoted(data) == shown
