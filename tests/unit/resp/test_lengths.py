import pytest

from rproxy.resp.lengths import INVALID, LINE_MAX, PARTIAL, TOO_LONG, read_length


@pytest.mark.parametrize(
    ("line", "number"), [(b"0", 0), (b"7", 7), (b"-1", -1), (b"536870912", 536870912), (b"9" * 18, int("9" * 18))]
)
def test_a_length_and_the_place_after_its_line(line: bytes, number: int) -> None:
    chunk = b"$" + line + b"\r\nrest"
    assert read_length(chunk, 1, len(chunk)) == (len(line) + 3, number, True)


@pytest.mark.parametrize(
    "line", [b"", b"-", b"-0", b"00", b"01", b"+1", b" 1", b"1 ", b"1\n", b"0x1", b"\xb2", b"9" * 19]
)
def test_what_is_no_length(line: bytes) -> None:
    chunk = line + b"\r\n"
    assert read_length(chunk, 0, len(chunk))[0] == INVALID


@pytest.mark.parametrize("chunk", [b"", b"12", b"12\r"])
def test_a_line_that_has_not_ended(chunk: bytes) -> None:
    assert read_length(chunk, 0, len(chunk))[0] == PARTIAL


def test_the_line_ends_within_what_was_read() -> None:
    assert read_length(b"12\r\n", 0, 3)[0] == PARTIAL
    assert read_length(b"12\r\n", 0, 2)[0] == PARTIAL


def test_a_line_without_end_is_too_long() -> None:
    assert read_length(b"1" * LINE_MAX, 0, LINE_MAX)[0] == PARTIAL
    assert read_length(b"1" * (LINE_MAX + 1), 0, LINE_MAX + 1)[0] == TOO_LONG


def test_another_byte_than_a_line_feed_is_told() -> None:
    assert read_length(b"5\rx", 0, 3) == (3, 5, False)
