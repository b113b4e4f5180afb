"""Reading the lines of MONITOR."""

import pytest

from rproxy.demo.monitor import SeenCommand, parse_line


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        (b'1339518083.107412 [0 127.0.0.1:60866] "SET" "b" "1"', ("set", ("b", "1"))),
        (b'1339518087.877697 [0 127.0.0.1:60866] "dbsize"', ("dbsize", ())),
        (b'1339518083.107412 [0 lua] "get" "a] \\"quoted\\""', ("get", ('a] \\"quoted\\"',))),
        (b'1339518083.107412 [0 [::1]:60866] "get" "b"', ("get", ("b",))),
        (b'1339518083.107412 [0 127.0.0.1:60866] "get" "\\x00\\\\"', ("get", ("\\x00\\\\",))),
    ],
)
def test_a_line_is_a_command(line: bytes, seen: tuple[str, tuple[str, ...]]) -> None:
    assert parse_line(line) == SeenCommand(*seen)
