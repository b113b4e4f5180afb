import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.topology.slots import SLOT_COUNT
from rproxy.topology.snapshot import NO_SHARD, Endpoint, Shard, Topology

A, B, C, D = (Endpoint("10.0.0.1", 7000 + i) for i in range(4))
A2, A3, B2 = (Endpoint("10.0.0.2", 7000 + i) for i in range(3))


def halves() -> Topology:
    """A serves the lower half with two replicas, B the upper with one, but for the last slot."""
    half = SLOT_COUNT // 2
    slots = (0,) * half + (1,) * (half - 1) + (NO_SHARD,)
    return Topology((Shard(A, (A2, A3)), Shard(B, (B2,))), slots)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:6379", Endpoint("127.0.0.1", 6379)),
        ("redis-0.redis:1", Endpoint("redis-0.redis", 1)),
        ("[::1]:65535", Endpoint("::1", 65535)),
    ],
)
def test_endpoints_are_read_and_written_alike(text: str, endpoint: Endpoint) -> None:
    assert Endpoint.parse(text) == endpoint
    assert str(endpoint) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not host:port"),
        ("redis", "is not host:port"),
        (":6379", "is not host:port"),
        ("[]:6379", "is not host:port"),
        ("::1:6379", "needs brackets"),
        ("redis:", "the port must be a number"),
        ("redis:0", "from 1 to 65535"),
        ("redis:65536", "from 1 to 65535"),
        ("redis:-1", "from 1 to 65535"),
        ("redis:٣", "from 1 to 65535"),
        ("redis:" + "9" * 5000, "from 1 to 65535"),
    ],
)
def test_a_wrong_endpoint_is_refused_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        Endpoint.parse(text)
    assert "\n" not in str(caught.value)


def test_an_endpoint_is_a_key() -> None:
    assert {A: 1}[Endpoint("10.0.0.1", 7000)] == 1


def test_an_empty_topology_serves_nothing() -> None:
    topology = Topology.empty()
    assert topology.covered == 0
    assert topology.endpoints() == ()
    assert topology.describe() == []
    assert topology.shard_of(0) is None
    assert topology.shard_of(SLOT_COUNT - 1) is None


def test_a_standalone_server_has_every_slot() -> None:
    topology = Topology.standalone(A)
    assert topology.covered == SLOT_COUNT
    assert {topology.shard_of(slot) for slot in range(SLOT_COUNT)} == {Shard(A)}
    assert topology.describe() == [{"slots": ["0-16383"], "primary": "10.0.0.1:7000", "replicas": []}]


def test_slots_that_lost_their_owner_are_counted() -> None:
    whole = Topology.standalone(A)
    assert halves().slots_lost_from(whole) == 1
    assert whole.slots_lost_from(halves()) == 0
    assert halves().slots_lost_from(halves()) == 0
    assert halves().slots_lost_from(Topology.empty()) == 0
    assert Topology.empty().slots_lost_from(halves()) == SLOT_COUNT - 1


def test_slots_lead_to_shards() -> None:
    topology = halves()
    assert topology.shard_of(8191) == Shard(A, (A2, A3))
    assert topology.shard_of(8192) == Shard(B, (B2,))
    assert topology.shard_of(16383) is None
    assert topology.covered == SLOT_COUNT - 1
    assert topology.endpoints() == (A, A2, A3, B, B2)


def test_equal_content_is_an_equal_topology() -> None:
    assert halves() == halves()
    assert halves() != halves().with_slot_moved(0, B)
    assert halves() != Topology((Shard(A, (A2,)), Shard(B, (B2,))), halves().slots)


def test_a_slot_moves_to_a_known_primary() -> None:
    before = halves()
    after = before.with_slot_moved(7, B)
    assert after.shard_of(7) == Shard(B, (B2,))
    assert after.shards == before.shards
    assert before.shard_of(7) == Shard(A, (A2, A3)), "a snapshot never changes"


def test_a_slot_that_is_there_already_moves_nothing() -> None:
    topology = halves()
    assert topology.with_slot_moved(7, A) is topology


def test_a_promoted_replica_leads_its_shard() -> None:
    after = halves().with_slot_moved(7, A2).with_slot_moved(8, A2)
    assert after.shard_of(7) == after.shard_of(8) == Shard(A2, (A, A3))
    assert after.shard_of(9) == Shard(A, (A2, A3))
    assert len(after.shards) == 3


def test_an_unknown_endpoint_becomes_a_shard() -> None:
    after = halves().with_slot_moved(16383, D)
    assert after.shard_of(16383) == Shard(D)
    assert after.covered == SLOT_COUNT
    assert len(after.shards) == 3


def test_a_storm_of_redirections_does_not_grow_the_list_of_shards() -> None:
    topology = halves()
    for port in range(1, 200):
        topology = topology.with_slot_moved(7, Endpoint("10.9.9.9", port))
    assert topology.shard_of(7) == Shard(Endpoint("10.9.9.9", 199))
    assert len(topology.shards) == 3


def test_the_description_names_ranges_and_is_json() -> None:
    description = halves().with_slot_moved(7, B).describe()
    assert description == [
        {
            "slots": ["0-6", "8-8191"],
            "primary": "10.0.0.1:7000",
            "replicas": ["10.0.0.2:7000", "10.0.0.2:7001"],
        },
        {"slots": ["7", "8192-16382"], "primary": "10.0.0.1:7001", "replicas": ["10.0.0.2:7002"]},
    ]
    assert json.loads(json.dumps(description)) == description


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1, 7, 8191, 8192, 16383]), st.sampled_from([A, B, C, D, A2, A3, B2])),
        max_size=12,
    )
)
def test_any_moves_patch_their_slots_and_no_other(moves: list[tuple[int, Endpoint]]) -> None:
    topology = before = halves()
    for slot, endpoint in moves:
        topology = topology.with_slot_moved(slot, endpoint)
    expected = dict(moves)
    for slot in (0, 1, 2, 7, 8190, 8191, 8192, 8193, 16382, 16383):
        shard = topology.shard_of(slot)
        if slot in expected:
            assert shard is not None
            assert shard.primary == expected[slot]
            assert shard.primary not in shard.replicas
        else:
            assert shard == before.shard_of(slot)
    assert len(topology.slots) == SLOT_COUNT
    assert all(index == NO_SHARD or index < len(topology.shards) for index in set(topology.slots))
