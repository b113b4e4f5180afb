"""Reading the lines of MONITOR."""

import pytest

from rproxy.demo.monitor import SeenCommand, parse_line


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        (b'1339518083.107412 [0 127.0.0.1:60866] "SET" "b" "1"', ("set", ("b", "1"), "127.0.0.1:60866")),
        (b'1339518087.877697 [0 127.0.0.1:60866] "dbsize"', ("dbsize", (), "127.0.0.1:60866")),
        (b'1339518083.107412 [0 lua] "get" "a] \\"quoted\\""', ("get", ('a] \\"quoted\\"',), "lua")),
        (b'1339518083.107412 [0 [::1]:60866] "get" "b"', ("get", ("b",), "[::1]:60866")),
        (b'1339518083.107412 [0 127.0.0.1:1] "get" "[0 x] \\x00\\\\"', ("get", ("[0 x] \\x00\\\\",), "127.0.0.1:1")),
    ],
)
def test_a_line_is_a_command(line: bytes, seen: tuple[str, tuple[str, ...], str]) -> None:
    assert parse_line(line) == SeenCommand(*seen)
