"""The notations of durations, percentages, sizes and addresses, and what they refuse."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.config import converters
from rproxy.config.converters import Address


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5.0), ("0.5s", 0.5), ("250ms", 0.25), ("1m", 60.0), ("2h", 7200.0), ("0s", 0.0), (3, 3.0), (0.25, 0.25)],
)
def test_a_duration_is_seconds(text: object, seconds: float) -> None:
    assert converters.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value", ["5", "5 s", "-5s", "5sec", "s", "1m30s", "", "1e3s", "٣s", True, None, [], {}, float("nan"), float("inf")]
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is no duration; write it as 5s, 250ms or 1m"):
        converters.duration(value)


@given(st.integers(0, 86_400_000_000))
def test_a_duration_reads_back_alike_to_the_microsecond(microseconds: int) -> None:
    seconds = microseconds / 1_000_000
    assert converters.duration(converters.duration_text(seconds)) == pytest.approx(seconds, abs=1e-9)


def test_durations_are_written_as_protobuf_has_them() -> None:
    assert [converters.duration_text(seconds) for seconds in (5.0, 0.25, 60.0, 0.0)] == ["5s", "0.25s", "60s", "0s"]


@pytest.mark.parametrize(("text", "fraction"), [("100%", 1.0), ("12.5%", 0.125), ("0%", 0.0), ("0.01%", 0.0001)])
def test_a_percentage_is_a_fraction_and_back(text: str, fraction: float) -> None:
    assert converters.percentage(text) == pytest.approx(fraction)
    assert converters.percentage_text(fraction) == text


@pytest.mark.parametrize("value", ["101%", "100.1%", "-1%", "50", "%", 0.5, 50, True, None, {"numerator": 1}])
def test_what_is_no_percentage_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is no percentage; write it as 0% to 100%"):
        converters.percentage(value)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("64MiB", 64 << 20),
        ("512MB", 512 << 20),
        ("64 kib", 64 << 10),
        ("1.5GB", 3 << 29),
        ("10B", 10),
        (1000, 1000),
    ],
)
def test_a_size_is_bytes(text: object, count: int) -> None:
    assert converters.size(text) == count


@pytest.mark.parametrize("value", ["64", "64M", "64 bytes", "-1KB", "MiB", 1.5, True, None, f"{'9' * 500}GiB"])
def test_what_is_no_size_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is no size; write it as 64KiB"):
        converters.size(value)


@given(st.integers(0, 1 << 40))
def test_a_size_reads_back_alike(count: int) -> None:
    assert converters.size(converters.size_text(count)) == count


def test_sizes_are_written_with_the_largest_unit_that_divides_them() -> None:
    assert [converters.size_text(n) for n in (64 << 20, 64 << 10, 1 << 30, 1000, 0)] == [
        "64MiB",
        "64KiB",
        "1GiB",
        1000,
        0,
    ]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:6380", Address("127.0.0.1", 6380)),
        ("localhost:0", Address("localhost", 0)),
        ("[::]:6380", Address("::", 6380)),
        ("[fe80::1%eth0]:1", Address("fe80::1%eth0", 1)),
        ("redis-0.redis_x.svc:65535", Address("redis-0.redis_x.svc", 65535)),
        ("unix:/run/rproxy.sock", Address(path="/run/rproxy.sock")),
    ],
)
def test_a_listen_address_is_read_and_written(text: str, address: Address) -> None:
    assert converters.listen_address(text) == address
    assert str(address) == text
    assert address.is_unix is text.startswith("unix:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("6380", "'6380' is no address; write it as host:port"),
        (6380, "6380 is no address"),
        (None, "nothing is no address"),
        (["::"], "a list is no address"),
        ("host:", "is no address"),
        ("host:http", "is no address"),
        ("host:٣", "is no address"),
        (":6380", "has no host; every address is 0.0.0.0 or"),
        ("host:65536", "a port is at most 65535"),
        ("host:" + "9" * 5000, "a port is at most 65535"),
        ("::1:6380", "needs brackets"),
        ("fe80::1", "needs brackets"),
        ("[::zz]:6380", "is no IP address"),
        ("[127.0.0.1]:6380", "is no IP address"),
        ("256.0.0.1:6380", "256.0.0.1 is no IP address"),
        ("*:6380", r"'\*' is no host name"),
        ("a b:6380", "'a b' is no host name"),
        ("redis://host:6380", "without a scheme or a user"),
        ("unix:relative", "begins with /"),
        ("unix:/" + "a" * 107, "at most 107 bytes, this one has 108"),
        ("unix:/é" + "a" * 106, "at most 107 bytes, this one has 109"),
        ("unix:/a\0b", "no zero bytes"),
    ],
)
def test_what_is_no_listen_address_is_refused(text: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        converters.listen_address(text)
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 250


def test_a_unix_path_of_107_bytes_is_the_longest() -> None:
    path = "/" + "a" * 106
    assert converters.listen_address(f"unix:{path}").path == path


def test_a_tcp_address_is_no_unix_socket() -> None:
    assert converters.tcp_address("[::1]:9900") == Address("::1", 9900)
    with pytest.raises(ValueError, match="is no address; write it as host:port"):
        converters.tcp_address("unix:/run/x")


def test_an_endpoint_stays_text_and_needs_a_port() -> None:
    assert converters.endpoint("[0::1]:6379") == "[0::1]:6379"
    assert converters.endpoint("no-such-host.invalid:6379") == "no-such-host.invalid:6379"
    with pytest.raises(ValueError, match="a port is 1 to 65535"):
        converters.endpoint("host:0")


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="without a scheme or a user") as error:
        converters.endpoint("redis://user:hunter2@host:6379")
    assert "hunter2" not in str(error.value)


READERS = (converters.duration, converters.percentage, converters.size, converters.listen_address, converters.endpoint)


@given(
    st.sampled_from(READERS), st.text(max_size=40) | st.from_regex(r"[0-9]{1,30}(%|MiB|h|:[0-9]{1,9})", fullmatch=True)
)
def test_any_text_is_read_or_refused_in_one_line(read: Callable[[object], object], text: str) -> None:
    try:
        read(text)
    except ValueError as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message
