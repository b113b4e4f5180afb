"""Numbers as strictly as Redis reads them."""

import pytest

from rproxy.resp.integer import integer_of


@pytest.mark.parametrize("number", [0, 7, -1, 10, 2**63 - 1, -(2**63)])
def test_a_64_bit_number(number: int) -> None:
    assert integer_of(b"%d" % number) == number


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**19, 10**30])
def test_a_number_beyond_the_range(number: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        integer_of(b"%d" % number)


@pytest.mark.parametrize(
    "text", [b"", b"-", b"-0", b"+1", b"01", b" 1", b"1 ", b"1\n", b"1_0", b"1.0", b"0x1", b"\xb2"]
)
def test_what_is_no_number(text: bytes) -> None:
    with pytest.raises(ValueError, match="not an integer"):
        integer_of(text)
