"""Slots, and where keys go: against what real nodes say."""

import random

import pytest

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.topology.slots import hash_slot
from tests.support.client import RawClient
from tests.support.proxy import Proxy

# The hash tag cases of the cluster specification, and their neighbours.
TAGGED = [
    b"{user1000}.following",
    b"{user1000}.followers",
    b"foo{}{bar}",
    b"foo{{bar}}zap",
    b"foo{bar}{zap}",
    b"{}",
    b"{",
    b"}",
    b"}{",
    b"a{",
    b"a}b{c}",
    b"{\r\n}",
    b"",
]


def random_keys(count: int, seed: int) -> list[bytes]:
    """Binary keys of 0 to 40 bytes, many with braces."""
    draw = random.Random(seed)
    keys = []
    for _ in range(count):
        key = draw.randbytes(draw.randrange(40))
        if draw.random() < 0.5:
            at = draw.randrange(len(key) + 1)
            key = key[:at] + draw.choice([b"{", b"}", b"{}", b"{x}", b"}{", b"{{"]) + key[at:]
        keys.append(key)
    return keys


def test_slots_are_those_of_a_real_node(cluster: EmbeddedCluster) -> None:
    keys = TAGGED + random_keys(10_000, seed=1)
    with cluster.nodes[0].connect() as node:
        slots = node.call_all([("CLUSTER", "KEYSLOT", key) for key in keys])
    assert [hash_slot(key) for key in keys] == slots


def test_every_key_goes_straight_to_its_node(cluster: EmbeddedCluster, client: RawClient, proxy: Proxy) -> None:
    keys = list({*TAGGED, *random_keys(3_000, seed=2)})
    before = proxy.metrics().total("rproxy_redirections_total")
    assert set(client.pipeline([("SET", key, key) for key in keys])) == {b"+OK\r\n"}
    assert proxy.metrics().total("rproxy_redirections_total") == before

    for first, last, nodes in cluster.slot_ranges():
        held = set(nodes[0].call("KEYS", "*"))
        assert held == {key for key in keys if first <= hash_slot(key) <= last}


def test_what_was_set_is_read_again(client: RawClient) -> None:
    keys = list({*TAGGED, *random_keys(1_000, seed=3)})
    client.pipeline([("SET", key, b"value of " + key) for key in keys])
    expected = [b"$%d\r\n%s\r\n" % (len(key) + 9, b"value of " + key) for key in keys]
    assert client.pipeline([("GET", key) for key in keys]) == expected


@pytest.mark.parametrize("command", ["SET", "set", "sEt"])
def test_a_command_is_known_in_any_case(client: RawClient, command: str) -> None:
    assert client.command(command, "a", "1") == b"+OK\r\n"


def test_keys_of_one_tag_can_be_used_together(cluster: EmbeddedCluster, client: RawClient) -> None:
    client.command("SADD", "{user1000}.following", "1", "2")
    client.command("SADD", "{user1000}.followers", "2", "3")
    assert client.command("SINTER", "{user1000}.following", "{user1000}.followers") == b"*1\r\n$1\r\n2\r\n"
    assert sorted(cluster.primary_of("{user1000}").call("KEYS", "*")) == [
        b"{user1000}.followers",
        b"{user1000}.following",
    ]
