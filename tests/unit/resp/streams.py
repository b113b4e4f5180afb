"""Both forms of the scanners, and streams of bytes for them that are nearly RESP."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from tests.support.forms import forms

FORMS = forms("resp.wire")
each_form = pytest.mark.parametrize("wire", FORMS, ids=lambda form: form.__name__)

TOKENS = st.sampled_from(
    [
        *(bytes([byte]) for byte in b"*$-+:%|~>_#\r\n0123"),
        *(b"\r\n", b"-1", b"10", b'"', b"'", b"$3\r\nabc\r\n", b"set a b\r\n", b"*2\r\n:1\r\n+OK\r\n"),
        *(b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n"),
    ]
)
STREAMS = st.lists(TOKENS | st.binary(max_size=3), max_size=30).map(b"".join)
CUTS = st.lists(st.integers(0, 120), max_size=6)
