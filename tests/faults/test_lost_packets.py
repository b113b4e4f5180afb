"""A node from which no packet comes any more, not even a reset: the system finds out, whatever ``op_timeout`` is."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rproxy.demo.redis_process import RedisProcess
from rproxy.transport.keepalive import PROBES
from rproxy.upstream.dial import KEEPALIVE
from tests.support import figures
from tests.support.client import RawClient
from tests.support.far_host import FAR, FarHost
from tests.support.proxy import Proxy, config_of
from tests.support.waiting import await_true

GIVEN_UP = KEEPALIVE + PROBES * max(KEEPALIVE // 10, 1)
"""Seconds without a sign of life after which a connection to a node is lost."""
ROUGHLY = 5.0
"""Seconds by which the system may be late, whose probes and retransmissions have intervals of their own."""


@pytest.fixture
def far_host() -> Iterator[FarHost]:
    with FarHost() as host:
        yield host


@pytest.fixture
def far_redis(far_host: FarHost, tmp_path: Path) -> Iterator[RedisProcess]:
    redis = RedisProcess(tmp_path / "far", ("--bind", "127.0.0.1", FAR, "--protected-mode", "no"))
    with far_host.entered():
        redis.start()
    yield redis
    redis.kill()


@pytest.fixture
def proxy(far_redis: RedisProcess) -> Iterator[Proxy]:
    """With a time-out that is not reached."""
    address = f"{FAR}:{far_redis.port}"
    with Proxy(config=config_of(address, settings={"op_timeout": "60s"}, cluster={"type": "standalone"})) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[RawClient]:
    with proxy.client() as client:
        assert client.command("SET", "a", "1") == b"+OK\r\n"
        yield client


def connections(proxy: Proxy) -> float:
    return proxy.metrics().total("rproxy_upstream_connections_active", cluster="main")


@figures.whole_suite
def test_what_is_never_acknowledged_is_given_up(far_host: FarHost, client: RawClient) -> None:
    """By TCP_USER_TIMEOUT: keepalive does not count while something waits to be acknowledged."""
    far_host.cut()
    began = time.monotonic()
    reply = client.command("INCR", "a")
    took = time.monotonic() - began
    far_host.mend()
    assert b"was lost" in reply
    assert b"may have been executed" in reply
    assert GIVEN_UP - 1 < took < GIVEN_UP + ROUGHLY
    began = time.monotonic()
    assert await_true(lambda: client.command("GET", "a").startswith(b"$1\r\n"))
    back = time.monotonic() - began
    figures.note("no packet comes any more", "until a command in flight is given up", f"{took:.1f} s")
    figures.note("no packet comes any more", "first success when they come again", f"{back * 1000:.0f} ms")


@figures.whole_suite
def test_an_idle_connection_is_found_dead(far_host: FarHost, proxy: Proxy, client: RawClient) -> None:
    assert connections(proxy) > 0
    far_host.cut()
    began = time.monotonic()
    await_true(lambda: connections(proxy) == 0, 60)
    took = time.monotonic() - began
    far_host.mend()
    assert took < GIVEN_UP + ROUGHLY
    assert client.command("GET", "a") == b"$1\r\n1\r\n"
    figures.note("no packet comes any more", "until an idle connection is given up", f"{took:.1f} s")
