"""Dialing nodes that speak TLS: what is checked, what is said when it does not hold, and the hand-over."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from rproxy.config.certificates import Certificates
from rproxy.config.tls_sections import ClientTlsConfig
from rproxy.topology.snapshot import Endpoint
from rproxy.transport.tls_stream import TlsStream
from rproxy.upstream.dial import DialError, ask, dial
from tests.support.certificates import Authority
from tests.support.fake_node import CLOSE, PATIENCE, SILENCE, echo
from tests.support.upstream import ROUND, Upstream, topology_of


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def trusting(authority: Authority, **keys: Any) -> Certificates:
    return Certificates(ClientTlsConfig(ca_cert_file=authority.cert_file, **keys), "cluster main")


async def test_a_node_is_asked_over_tls(start_node: Any, authority: Authority) -> None:
    node = await start_node({"GET": echo}, authority.server_context(authority.sign("node")))
    answers = await ask(node.endpoint, [[b"AUTH", b"x"]], [[b"GET", b"a"]], 5.0, 5.0, trusting(authority))
    assert answers == [b"a"]
    assert node.received == [(b"AUTH", b"x"), (b"GET", b"a")]


async def test_a_dialed_stream_is_closed_when_nobody_serves_it(start_node: Any, authority: Authority) -> None:
    node = await start_node(tls=authority.server_context(authority.sign("node")))
    opened = await dial(node.endpoint, [[b"READONLY"]], 5.0, trusting(authority))
    assert isinstance(opened, TlsStream)
    opened.close()
    await node.until_closed(0)


async def test_another_authority_is_not_trusted(start_node: Any, authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    node = await start_node(tls=stranger.server_context(stranger.sign("node")))
    with pytest.raises(DialError, match="TLS: unable to get local issuer certificate"):
        await dial(node.endpoint, [[b"READONLY"]], 5.0, trusting(authority))
    assert node.received == []


async def test_a_certificate_that_has_ended(start_node: Any, authority: Authority) -> None:
    node = await start_node(tls=authority.server_context(authority.sign("node", days=-1)))
    with pytest.raises(DialError, match="TLS: certificate has expired"):
        await dial(node.endpoint, [], 5.0, trusting(authority))


@pytest.mark.parametrize(
    ("hosts", "keys", "trouble"),
    [
        (["redis.example.com"], {}, "IP address mismatch"),
        (["redis.example.com"], {"server_name": "redis.example.com"}, None),
        (["127.0.0.1"], {"server_name": "redis.example.com"}, "Hostname mismatch"),
    ],
)
async def test_the_certificate_is_for_the_host_or_the_name_that_is_told(
    start_node: Any, authority: Authority, hosts: list[str], keys: dict[str, str], trouble: str | None
) -> None:
    node = await start_node(tls=authority.server_context(authority.sign("node", hosts)))
    tls = trusting(authority, **keys)
    if trouble is None:
        (await dial(node.endpoint, [[b"READONLY"]], 5.0, tls)).close()
        assert node.received == [(b"READONLY",)]
    else:
        with pytest.raises(DialError, match=f"TLS: {trouble}"):
            await dial(node.endpoint, [], 5.0, tls)


@pytest.mark.parametrize(
    ("keys", "shown"), [({"server_name": "redis.example.com"}, "redis.example.com"), ({}, "localhost")]
)
async def test_the_name_is_shown_to_the_node(
    start_node: Any, authority: Authority, keys: dict[str, str], shown: str
) -> None:
    """Server Name Indication (RFC 6066): a node, or what stands before it, may choose its certificate by it."""
    seen: list[str | None] = []
    context = authority.server_context(authority.sign("node", [shown]))
    context.sni_callback = lambda _socket, name, _context: seen.append(name)
    node = await start_node(tls=context)
    where = Endpoint("localhost", node.endpoint.port)
    (await dial(where, [[b"READONLY"]], 5.0, trusting(authority, **keys))).close()
    assert seen == [shown]


async def test_without_verification_anybody_will_do(start_node: Any, authority: Authority) -> None:
    node = await start_node({"GET": echo}, authority.server_context(authority.sign("node", ["elsewhere"], days=-1)))
    tls = Certificates(ClientTlsConfig(verify=False), "cluster main")
    assert await ask(node.endpoint, [], [[b"GET", b"a"]], 5.0, 5.0, tls) == [b"a"]


async def test_a_node_below_the_least_version(start_node: Any, authority: Authority) -> None:
    context = authority.server_context(authority.sign("node"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    node = await start_node(tls=context)
    with pytest.raises(DialError, match=r"TLS: .*protocol version|connection closed"):
        await dial(node.endpoint, [], 5.0, trusting(authority, min_version="1.3"))


async def test_a_node_that_speaks_plainly(authority: Authority) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"-ERR unknown command\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        endpoint = Endpoint("127.0.0.1", server.sockets[0].getsockname()[1])
        with pytest.raises(DialError):
            await dial(endpoint, [], 5.0, trusting(authority))


async def test_the_handshake_is_inside_the_time_limit(authority: Authority) -> None:
    silent = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with silent:
        endpoint = Endpoint("127.0.0.1", silent.sockets[0].getsockname()[1])
        with pytest.raises(DialError, match=r"no connection within 0\.05 s"):
            await dial(endpoint, [], 0.05, trusting(authority))


@pytest.mark.parametrize(
    ("answer", "trouble"), [(CLOSE, "closed by the node"), (b"-NOAUTH no\r\n", "refused: NOAUTH no")]
)
async def test_a_node_that_refuses(start_node: Any, authority: Authority, answer: bytes, trouble: str) -> None:
    node = await start_node({"READONLY": answer}, authority.server_context(authority.sign("node")))
    with pytest.raises(DialError, match=trouble):
        await dial(node.endpoint, [[b"READONLY"]], 5.0, trusting(authority))


async def test_an_answer_that_does_not_come(start_node: Any, authority: Authority) -> None:
    node = await start_node({"PING": SILENCE}, authority.server_context(authority.sign("node")))
    with pytest.raises(DialError, match=r"no answer within 0\.05 s"):
        await ask(node.endpoint, [], [[b"PING"]], 5.0, 0.05, trusting(authority))


async def test_a_pool_serves_tls_and_learns_of_its_loss(start_node: Any, authority: Authority) -> None:
    node = await start_node({"GET": echo}, authority.server_context(authority.sign("node")))
    upstream = Upstream(topology_of((node.endpoint,)), tls={"ca_cert_file": authority.cert_file}, connect_timeout=5.0)
    try:
        large = "x" * 1_000_000
        assert await upstream.call("GET", large) == b"$1000000\r\n%s\r\n" % large.encode()
        node.peers[-1].close()
        async with asyncio.timeout(PATIENCE):
            while upstream.cluster.traffic.active:
                await asyncio.sleep(ROUND)
        assert await upstream.call("GET", "b") == b"$1\r\nb\r\n"
    finally:
        await upstream.close()
