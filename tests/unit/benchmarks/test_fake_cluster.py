"""The seed of the fake cluster says what rproxy takes for a topology."""

import socket

import hiredis
import pytest

from benchmarks.fake_cluster import FakeSeed, cluster_slots, endpoints
from rproxy.demo.wire_client import WireClient
from rproxy.topology.discovery import view_of
from rproxy.topology.snapshot import Endpoint

PORTS = (7001, 7002, 7003)


def test_every_server_has_many_names_of_one_address() -> None:
    found = endpoints(PORTS, 100)
    assert found[:4] == [("127.0.0.1", 7001), ("127.0.0.1", 7002), ("127.0.0.1", 7003), ("0177.0.0.1", 7001)]
    assert len(set(found)) == 100
    assert {socket.getaddrinfo(host, None)[0][4][0] for host, _ in found} == {"127.0.0.1"}


@pytest.mark.parametrize("shards", [3, 100])
def test_the_topology_is_whole_and_the_first_shards_have_nearly_all(shards: int) -> None:
    with FakeSeed(endpoints(PORTS, shards), 3) as seed, WireClient(seed.port) as client:
        asked = Endpoint("127.0.0.1", seed.port)
        assert str(asked) == seed.address
        view = view_of(client.call("CLUSTER", "SLOTS"), client.call("cluster", "info"), asked)
    assert len(view.topology.shards) == shards
    assert view.topology.covered == 16384
    assert view.is_serving
    sizes = [view.topology.slots.count(index) for index in range(shards)]
    assert max(sizes[:3]) - min(sizes[:3]) <= 1
    assert sizes[3:] == [1] * (shards - 3)


def test_the_seed_serves_no_keys() -> None:
    with FakeSeed(endpoints(PORTS, 3), 3) as seed, WireClient(seed.port) as client:
        assert isinstance(client.call_all([("GET", "a"), ("CLUSTER", "NODES")])[0], hiredis.ReplyError)


def test_ranges_follow_each_other() -> None:
    reader = hiredis.Reader()
    reader.feed(cluster_slots(endpoints(PORTS, 3), 3))
    ranges = reader.gets()
    assert [entry[:2] for entry in ranges] == [[0, 5460], [5461, 10921], [10922, 16383]]
    assert [entry[2][:2] for entry in ranges] == [[b"127.0.0.1", port] for port in PORTS]
