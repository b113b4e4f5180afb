"""Commands that wait for data, through rproxy over a real cluster."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from rproxy.demo.embedded import EmbeddedCluster, RedisProcess
from tests.support.client import Argument, RawClient, pack
from tests.support.proxy import Proxy, config_of
from tests.support.waiting import await_true

READY = {
    "BLPOP": (["RPUSH l{t} a b"], "BLPOP k{t} l{t} 0"),
    "BRPOP": (["RPUSH l{t} a b"], "BRPOP l{t} 0"),
    "BLMOVE": (["RPUSH l{t} a b"], "BLMOVE l{t} m{t} LEFT RIGHT 0"),
    "BRPOPLPUSH": (["RPUSH l{t} a b"], "BRPOPLPUSH l{t} m{t} 0"),
    "BLMPOP": (["RPUSH l{t} a b c"], "BLMPOP 0 2 k{t} l{t} LEFT COUNT 2"),
    "BZPOPMIN": (["ZADD z{t} 1 a 2 b"], "BZPOPMIN z{t} 0"),
    "BZPOPMAX": (["ZADD z{t} 1 a 2 b"], "BZPOPMAX z{t} 0"),
    "BZMPOP": (["ZADD z{t} 1 a 2 b"], "BZMPOP 0 1 z{t} MAX"),
    "XREAD": (["XADD s{t} 1-1 f v"], "XREAD BLOCK 0 STREAMS s{t} 0"),
    "XREADGROUP": (["XADD s{t} 1-1 f v", "XGROUP CREATE s{t} g 0"], "XREADGROUP GROUP g c BLOCK 0 STREAMS s{t} >"),
}
ERRORS = [
    "BLPOP l{t} x",
    "BLPOP l{t} -1",
    "BLPOP",
    "BLMPOP 0 0 l{t} LEFT",
    "BLMPOP x 1 l{t} LEFT",
    "BLMOVE l{t} m{t} UP DOWN 0",
    "XREAD BLOCK x STREAMS s{t} 0",
    "XREAD BLOCK -1 STREAMS s{t} 0",
    "XREAD BLOCK 0 STREAMS s{t}",
    "XREADGROUP GROUP g c BLOCK 0 STREAMS s{t} >",
]


@pytest.fixture
def others(proxy: Proxy) -> Iterator[list[RawClient]]:
    """Ten more clients."""
    with ExitStack() as stack:
        yield [stack.enter_context(proxy.client()) for _ in range(10)]


def info(node: RedisProcess, field: str) -> int:
    """A number that a node's INFO tells."""
    return int(re.search(rf"{field}:(\d+)", node.call("INFO").decode())[1])  # type: ignore[index]


def blocked(cluster: EmbeddedCluster) -> int:
    return sum(info(node, "blocked_clients") for node in cluster.nodes)


@pytest.mark.parametrize(("before", "command"), READY.values(), ids=READY.keys())
def test_what_is_there_is_given_at_once(before: list[str], command: str, client: RawClient, direct: RawClient) -> None:
    expected = [direct.command(*line.split()) for line in [*before, command]]
    assert [client.command(*line.split()) for line in [*before, command]] == expected


@pytest.mark.parametrize("command", ERRORS)
def test_an_error_is_that_of_one_redis(command: str, client: RawClient, direct: RawClient) -> None:
    assert client.command(*command.split()) == direct.command(*command.split())


@pytest.mark.parametrize(
    "command",
    ["BLPOP l{t} 0.01", "BLMOVE l{t} m{t} LEFT LEFT 0.01", "BLMPOP 0.01 1 l{t} LEFT", "XREAD BLOCK 10 STREAMS s{t} $"],
)
def test_a_time_out_is_that_of_one_redis(command: str, client: RawClient, direct: RawClient) -> None:
    assert client.command(*command.split()) == direct.command(*command.split())


def test_a_client_waits_and_its_next_command_too(client: RawClient, others: list[RawClient]) -> None:
    client.send(pack("BLPOP", "l", "0") + pack("SET", "a", "after"))
    assert others[0].command("GET", "a") == b"$-1\r\n"
    assert others[0].command("RPUSH", "l", "x") == b":1\r\n"
    assert client.read_reply() == b"*2\r\n$1\r\nl\r\n$1\r\nx\r\n"
    assert client.read_reply() == b"+OK\r\n"


def test_what_was_sent_before_is_done_before(client: RawClient) -> None:
    commands: list[tuple[Argument, ...]] = [("RPUSH", "l", "x"), ("DEL", "l"), ("BLPOP", "l", "0.01"), ("GET", "l")]
    for _ in range(50):
        assert client.pipeline(commands) == [b":1\r\n", b":1\r\n", b"*-1\r\n", b"$-1\r\n"]


def test_keys_of_two_slots_are_refused(client: RawClient) -> None:
    assert client.command("BLPOP", "a", "b", "1").startswith(b"-CROSSSLOT ")


def test_the_longest_waiting_client_is_served_first(
    cluster: EmbeddedCluster, others: list[RawClient], client: RawClient
) -> None:
    for number, other in enumerate(others):
        other.send(pack("BLPOP", "l", "0"))
        await_true(lambda expected=number + 1: blocked(cluster) == expected)
    for number, other in enumerate(others):
        client.command("RPUSH", "l", number)
        assert other.read_reply().endswith(b"%d\r\n" % number)


def test_nothing_is_popped_for_a_client_that_is_gone(cluster: EmbeddedCluster, proxy: Proxy, client: RawClient) -> None:
    with proxy.client() as gone:
        gone.send(pack("BLPOP", "l", "0"))
        await_true(lambda: blocked(cluster) == 1)
        assert proxy.metrics().total("rproxy_upstream_pinned_connections", state="in_use") == 1
    await_true(lambda: blocked(cluster) == 0)
    assert client.command("RPUSH", "l", "x") == b":1\r\n"
    assert client.command("LLEN", "l") == b":1\r\n"


def test_a_wait_longer_than_op_timeout_is_no_failure(cluster: EmbeddedCluster) -> None:
    config = config_of(cluster.seeds, settings={"op_timeout": "0.2s"})
    with Proxy(config=config) as proxy, proxy.client() as client:
        began = time.monotonic()
        assert client.command("BLPOP", "l", "0.7") == b"*-1\r\n"
        assert time.monotonic() - began >= 0.7


def test_connections_are_used_again(client: RawClient, cluster: EmbeddedCluster) -> None:
    def connected() -> int:
        return sum(info(node, "total_connections_received") for node in cluster.nodes)

    client.command("BLPOP", "l", "0.001")
    before = connected()
    for _ in range(100):
        assert client.pipeline([("RPUSH", "l", "x"), ("BLPOP", "l", "0")])[1] == b"*2\r\n$1\r\nl\r\n$1\r\nx\r\n"
    assert connected() - before < 50  # discovery and this test's own


def test_a_thousand_blocked_clients_disturb_nobody(cluster: EmbeddedCluster, client: RawClient, proxy: Proxy) -> None:
    with ExitStack() as stack:
        waiting = [stack.enter_context(proxy.client()) for _ in range(1000)]
        for number, other in enumerate(waiting):
            other.send(pack("BLPOP", f"queue:{number}", "0"))
        await_true(lambda: blocked(cluster) == 1000, seconds=30)
        for number in range(1000):
            assert client.command("SET", f"k{number}", "v") == b"+OK\r\n"
            assert client.command("RPUSH", f"queue:{number}", number) == b":1\r\n"
        for number, other in enumerate(waiting):
            assert other.read_reply().endswith(b"\r\n%d\r\n" % number)
