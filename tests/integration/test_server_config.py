"""CONFIG of a whole cluster."""

from __future__ import annotations

import hiredis
import pytest

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.wire_client import WireClient
from tests.support.client import RawClient
from tests.support.proxy import Proxy


def test_a_parameter_of_the_nodes_is_set_and_read(cluster: EmbeddedCluster, proxy: Proxy) -> None:
    with WireClient(proxy.port) as wire:
        before = wire.call("CONFIG", "GET", "hash-max-*")
        try:
            assert wire.call("CONFIG", "SET", "notify-keyspace-events", "KEA") == b"OK"
            for node in cluster.nodes:
                assert node.call("CONFIG", "GET", "notify-keyspace-events")[1] == b"AKE"
            assert wire.call("CONFIG", "GET", "notify-keyspace-events") == [b"notify-keyspace-events", b"AKE"]
        finally:
            wire.call("CONFIG", "SET", "notify-keyspace-events", "")
        assert len(before) >= 4
        assert wire.call("CONFIG", "RESETSTAT") == b"OK"


def test_rproxys_own_are_its_own(proxy: Proxy) -> None:
    with WireClient(proxy.port) as wire:
        everything = wire.call("CONFIG", "GET", "*")
        shown = dict(zip(everything[::2], everything[1::2], strict=True))
        assert shown[b"port"] == b"%d" % proxy.port
        assert shown[b"databases"] == b"1"
        assert shown[b"cluster-enabled"] == b"no"
        assert {b"maxmemory", b"maxmemory-policy", b"appendonly", b"save", b"maxclients"} <= shown.keys()
        assert wire.call("CONFIG", "SET", "timeout", "70") == b"OK"
        assert wire.call("CONFIG", "GET", "timeout") == [b"timeout", b"70"]
        assert wire.call("CONFIG", "SET", "timeout", "0") == b"OK"


@pytest.mark.parametrize("command", [("SET", "nope", "1"), ("SET", "maxmemory", "x"), ("GET", "nope")])
def test_the_nodes_words_reach_the_client(client: RawClient, direct: RawClient, command: tuple[str, ...]) -> None:
    assert client.command("CONFIG", *command) == direct.command("CONFIG", *command)


def test_an_immutable_one_is_refused(proxy: Proxy) -> None:
    with WireClient(proxy.port) as wire, pytest.raises(hiredis.ReplyError, match="maxclients"):
        wire.call("CONFIG", "SET", "maxclients", "1")
