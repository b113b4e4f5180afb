"""One node behind a bad network: its commands fail or wait, others do not notice, and it is found again."""

from collections.abc import Iterator

import pytest

from rproxy.demo.embedded import EmbeddedRedis
from tests.support.client import RawClient
from tests.support.proxy import Proxy, config_of
from tests.support.relay import Relay
from tests.support.waiting import await_true

MAY_HAVE_RUN = b"may have been executed"


@pytest.fixture
def relay(standalone: EmbeddedRedis) -> Iterator[Relay]:
    with Relay(standalone.port) as relay:
        yield relay


@pytest.fixture
def client(relay: Relay) -> Iterator[RawClient]:
    config = config_of(f"127.0.0.1:{relay.port}", settings={"op_timeout": "0.5s"}, cluster={"type": "standalone"})
    with Proxy(config=config) as proxy, proxy.client() as client:
        assert client.command("SET", "a", "1") == b"+OK\r\n"
        yield client


def test_after_a_reset_it_goes_on(relay: Relay, client: RawClient) -> None:
    for _ in range(5):
        relay.reset()
        reply = client.command("INCR", "a")
        assert reply.startswith(b":") or MAY_HAVE_RUN in reply
        await_true(lambda: client.command("GET", "a").startswith(b"$"))


def test_a_reply_that_is_cut_reaches_nobody(relay: Relay, client: RawClient, standalone: EmbeddedRedis) -> None:
    standalone.call("SET", "big", "x" * 100_000)
    relay.faults.cut_after = 50_000
    relay.reset()
    assert client.command("EVAL", "return redis.call('GET', KEYS[1])", "1", "big").startswith(b"-")
    relay.faults.cut_after = None
    assert await_true(lambda: client.command("GET", "big") == b"$100000\r\n%s\r\n" % (b"x" * 100_000))


@pytest.mark.parametrize("kind", ["black hole", "half open"])
def test_a_connection_that_died_unseen_is_replaced(relay: Relay, client: RawClient, kind: str) -> None:
    if kind == "black hole":
        relay.faults.is_black_hole = True
    else:
        relay.half_open()
    accepted = relay.accepted
    assert MAY_HAVE_RUN in client.command("INCR", "a")
    relay.faults.is_black_hole = False
    assert await_true(lambda: client.command("GET", "a").startswith(b"$"), 20)
    assert relay.accepted > accepted


def test_a_slow_node_gives_right_replies(relay: Relay, client: RawClient) -> None:
    relay.faults.delay = 0.05
    for number in range(5):
        assert client.pipeline([("SET", "a", number), ("GET", "a")]) == [b"+OK\r\n", b"$1\r\n%d\r\n" % number]
