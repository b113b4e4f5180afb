import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.topology.announced import announced_endpoint
from rproxy.topology.snapshot import Endpoint

ASKED = Endpoint("proxy.example", 7000)


@pytest.mark.parametrize("host", [None, b"", b"?"])
def test_an_unknown_host_is_the_host_that_was_asked(host: bytes | None) -> None:
    assert announced_endpoint(host, 7001, ASKED) == Endpoint("proxy.example", 7001)


@pytest.mark.parametrize("host", [b"10.0.0.1", b"fe80::1%eth0", b"redis_0.redis-headless"])
def test_addresses_and_names_are_taken_as_they_are(host: bytes) -> None:
    assert announced_endpoint(host, 1, ASKED) == Endpoint(host.decode(), 1)


@pytest.mark.parametrize(
    ("host", "port"),
    [(b"a", 0), (b"a", -1), (b"a", 65536), (b"a b", 1), (b"a\n", 1), (b"\xff", 1), (b"a" * 256, 1), (b"a/b", 1)],
)
def test_nonsense_is_no_endpoint(host: bytes, port: int) -> None:
    assert announced_endpoint(host, port, ASKED) is None


@given(st.one_of(st.none(), st.binary()), st.integers())
def test_it_never_raises(host: bytes | None, port: int) -> None:
    endpoint = announced_endpoint(host, port, ASKED)
    assert endpoint is None or (endpoint.host and endpoint.port == port)
