from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.errors import TopologyError
from rproxy.topology.discovery import ClusterView, confirmed, last_resort, may_replace, topology_from_slots, view_of
from rproxy.topology.slots import SLOT_COUNT
from rproxy.topology.snapshot import Endpoint, Shard, Topology

ASKED = Endpoint("seed.example", 7000)
OK_INFO = b"cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_current_epoch:6\r\ncluster_my_epoch:2\r\n"


def node(port: int, host: bytes | None = b"10.0.0.1", *more: object) -> list[object]:
    return [host, port, b"3568107a3f59d9b99f044abf2683a011f86f83fd", *more]


def endpoint(port: int) -> Endpoint:
    return Endpoint("10.0.0.1", port)


THREE = [
    [0, 5460, node(1, b"10.0.0.1", []), node(4, b"10.0.0.1", [])],
    [5461, 10922, node(2), node(6), node(5)],
    [10923, 16383, node(3)],
]


def test_three_shards() -> None:
    topology = topology_from_slots(THREE, ASKED)
    assert topology.shards == (
        Shard(endpoint(1), (endpoint(4),)),
        Shard(endpoint(2), (endpoint(5), endpoint(6))),
        Shard(endpoint(3)),
    )
    assert topology.covered == SLOT_COUNT
    assert topology.shard_of(5460) == topology.shards[0]
    assert topology.shard_of(5461) == topology.shards[1]
    assert topology.shard_of(16383) == topology.shards[2]


def test_nodes_that_agree_give_equal_topologies() -> None:
    reversed_reply = [[start, end, primary, *replicas[::-1]] for start, end, primary, *replicas in THREE[::-1]]
    assert topology_from_slots(reversed_reply, ASKED) == topology_from_slots(THREE, ASKED)


def test_the_ranges_of_one_primary_are_one_shard() -> None:
    reply = [[0, 1, node(1), node(2)], [3, 3, node(3)], [5, 16383, node(1), node(2)]]
    topology = topology_from_slots(reply, ASKED)
    assert topology.shards == (Shard(endpoint(1), (endpoint(2),)), Shard(endpoint(3)))
    assert topology.shard_of(2) is topology.shard_of(4) is None
    assert topology.covered == SLOT_COUNT - 2


@pytest.mark.parametrize(
    ("wire_node", "expected"),
    [
        ([b"10.0.0.1", 1], endpoint(1)),
        (node(1, b""), Endpoint("seed.example", 1)),
        (node(1, None, []), Endpoint("seed.example", 1)),
        (node(1, None, [b"ip", b"10.0.0.7"]), Endpoint("seed.example", 1)),
        (node(1, b"?", [b"ip", b"10.0.0.7"]), Endpoint("10.0.0.7", 1)),
        (node(1, b"?", {b"ip": b"10.0.0.7"}), Endpoint("10.0.0.7", 1)),
        (node(1, b"?", [b"ip", b""]), Endpoint("seed.example", 1)),
        (node(1, b"?", [b"ip"]), Endpoint("seed.example", 1)),
        (node(1, b"?", None), Endpoint("seed.example", 1)),
        (node(1, b"?"), Endpoint("seed.example", 1)),
        (node(1, b"redis-0.redis", [b"ip", b"10.0.0.7"]), Endpoint("redis-0.redis", 1)),
        (node(1, b"10.0.0.7", {b"hostname": b"redis-0.redis"}), Endpoint("10.0.0.7", 1)),
        (node(1, b"2001:db8::1"), Endpoint("2001:db8::1", 1)),
    ],
)
def test_how_a_node_is_announced(wire_node: list[object], expected: Endpoint) -> None:
    assert topology_from_slots([[0, 16383, wire_node]], ASKED) == Topology.standalone(expected)


def test_a_primary_is_not_its_own_replica() -> None:
    assert topology_from_slots([[0, 16383, node(1), node(1)]], ASKED).shards == (Shard(endpoint(1)),)


def test_a_node_without_an_address_serves_nothing() -> None:
    """So a node is told whose address another cluster's node has got; the others are served on."""
    reply = [[0, 99, node(0, b"", []), node(4)], [100, SLOT_COUNT - 1, node(2), node(0, b"", [])]]
    topology = topology_from_slots(reply, ASKED)
    assert topology.shards == (Shard(endpoint(2)),)
    assert topology.covered == SLOT_COUNT - 100


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        ([], "is empty"),
        (None, "gave no list: None"),
        (b"OK", "gave no list"),
        ({}, "gave no list"),
        (Exception("ERR This instance has cluster support disabled"), "was refused: ERR This instance has cluster"),
        ([[0, 1, node(1)], b"x"], "no range with a node"),
        ([[0, 16383]], "no range with a node"),
        ([[0, 16384, node(1)]], "no valid range"),
        ([[-1, 2, node(1)]], "no valid range"),
        ([[5, 4, node(1)]], "no valid range"),
        ([[b"0", 4, node(1)]], "no valid range"),
        ([[False, True, node(1)]], "no valid range"),
        ([[0, 10, node(1)], [10, 20, node(2)]], "slot 10 to two shards"),
        ([[0, 20, node(1)], [5, 6, node(1)]], "slot 5 to two shards"),
        ([[0, 10, []]], "a node without an address"),
        ([[0, 10, [b"h"]]], "a node without an address"),
        ([[0, 10, b"h:1"]], "a node without an address"),
        ([[0, 10, node(0)], [11, 20, node(0, b"")]], "no address of any primary"),
        ([[0, 10, node(-1)]], "wrong address"),
        ([[0, 10, node(65536)]], "wrong address"),
        ([[0, 10, [b"h", b"1"]]], "wrong address"),
        ([[0, 10, [7, 1]]], "wrong address"),
        ([[0, 10, [b"h\n", 1]]], "wrong address"),
        ([[0, 10, node(1), node(-1)]], "wrong address"),
    ],
)
def test_nonsense_is_refused_in_one_line(reply: object, complaint: str) -> None:
    with pytest.raises(TopologyError, match=complaint) as caught:
        topology_from_slots(reply, ASKED)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_long_error_is_cut_and_kept_on_one_line() -> None:
    with pytest.raises(TopologyError) as caught:
        topology_from_slots(Exception("ERR a\r\nb" + "c" * 1000), ASKED)
    assert "ERR a b" in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_view_joins_both_answers() -> None:
    view = view_of(THREE, OK_INFO, ASKED)
    names = frozenset([b"3568107a3f59d9b99f044abf2683a011f86f83fd"])
    assert view == ClusterView(topology_from_slots(THREE, ASKED), epoch=6, is_serving=True, nodes=names)


@pytest.mark.parametrize(
    ("info", "epoch", "is_serving"),
    [
        (b"cluster_state:fail\r\ncluster_current_epoch:12\r\n", 12, False),
        (b"cluster_state:ok\r\n", 0, True),
        (b"# Cluster\ncluster_state:ok\ncluster_current_epoch:3\n", 3, True),
        (Exception("NOPERM this user has no permissions"), 0, True),
    ],
)
def test_state_and_epoch(info: object, epoch: int, is_serving: bool) -> None:
    view = view_of(THREE, info, ASKED)
    assert (view.epoch, view.is_serving) == (epoch, is_serving)


@pytest.mark.parametrize(
    ("info", "complaint"),
    [
        (None, "gave no text"),
        ([], "gave no text"),
        (b"", "tells no cluster_state"),
        (b"cluster_state", "tells no cluster_state"),
        (b"cluster_state:ok\ncluster_current_epoch:-1", "no valid cluster_current_epoch"),
        (b"cluster_state:ok\ncluster_current_epoch:" + b"9" * 5000, "no valid cluster_current_epoch"),
    ],
)
def test_wrong_information_is_refused(info: object, complaint: str) -> None:
    with pytest.raises(TopologyError, match=complaint):
        view_of(THREE, info, ASKED)


WIRE_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.binary(max_size=8)
    | st.text(max_size=8)
    | st.builds(Exception, st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.binary(max_size=4), inner, max_size=3),
    max_leaves=20,
)
HOSTS = st.sampled_from([None, b"", b"?", b"h", b"\xff"]) | WIRE_VALUES
NODES = st.tuples(HOSTS, st.integers(-1, 70000) | WIRE_VALUES, st.just(b"id"), WIRE_VALUES).map(list) | WIRE_VALUES
NUMBERS = st.integers(-1, SLOT_COUNT) | WIRE_VALUES
ENTRIES = st.builds(lambda start, end, nodes: [start, end, *nodes], NUMBERS, NUMBERS, st.lists(NODES, max_size=3))


@given(st.lists(ENTRIES, max_size=4) | WIRE_VALUES, st.binary() | WIRE_VALUES)
def test_whatever_a_node_says_the_answer_is_a_topology_or_one_kind_of_error(slots: Any, info: Any) -> None:
    complaint = ""
    try:
        view = view_of(slots, info, ASKED)
    except TopologyError as error:
        complaint = str(error)
    assert len(complaint.splitlines()) == 1 if complaint else view.topology.covered > 0


@given(st.lists(st.integers(0, SLOT_COUNT - 1), min_size=1, max_size=20, unique=True), st.data())
def test_a_described_topology_is_read_back(cuts: list[int], data: st.DataObject) -> None:
    bounds = sorted({0, *cuts, SLOT_COUNT})
    ports = [data.draw(st.integers(1, 4)) for _ in bounds[1:]]
    ranges = list(zip(bounds, bounds[1:], ports, strict=False))
    topology = topology_from_slots([[start, end - 1, node(port)] for start, end, port in ranges], ASKED)
    for start, end, port in ranges:
        assert topology.shard_of(start) == topology.shard_of(end - 1) == Shard(endpoint(port))
    assert len(topology.shards) == len(set(ports))
    assert topology.covered == SLOT_COUNT


KNOWN = ClusterView(Topology.standalone(endpoint(1)), epoch=6)
NAMED = ClusterView(Topology.standalone(endpoint(1)), epoch=6, nodes=frozenset([b"a", b"b"]))


def view(epoch: int, is_serving: bool = True, port: int = 2, nodes: str = "") -> ClusterView:
    """``nodes`` are names of one letter."""
    return ClusterView(
        Topology.standalone(endpoint(port)), epoch, is_serving, frozenset(letter.encode() for letter in nodes)
    )


def holed(epoch: int, holes: int) -> ClusterView:
    """A view in which the first slots have no owner."""
    return ClusterView(topology_from_slots([[holes, SLOT_COUNT - 1, node(2)]], ASKED), epoch)


@pytest.mark.parametrize(
    ("current", "new", "refusal"),
    [
        (None, view(0, is_serving=False), None),
        (KNOWN, view(6), None),
        (KNOWN, view(7), None),
        (KNOWN, view(5), "the node is behind: epoch 5, where 6 is known"),
        (KNOWN, view(7, is_serving=False), "the node sees the cluster as failed"),
        (KNOWN, view(5, is_serving=False), "the node sees the cluster as failed"),
        (KNOWN, view(5, is_serving=False, port=1), None),
        (NAMED, view(6, nodes="bc"), None),
        (NAMED, view(6), None),
        (KNOWN, view(6, nodes="c"), None),
        (NAMED, view(9, nodes="cd"), "the node is of another cluster: it knows none of the nodes"),
        (NAMED, view(5, nodes="ab"), "the node is behind: epoch 5, where 6 is known"),
        (None, holed(7, 5), None),
        (KNOWN, holed(7, 5), "the node knows no owner of 5 slots that were served"),
        (holed(6, 5), view(7), None),
        (holed(6, 5), holed(7, 4), None),
        (holed(6, 5), holed(7, 6), "the node knows no owner of 1 slots that were served"),
    ],
)
def test_which_answer_may_replace_what_is_known(
    current: ClusterView | None, new: ClusterView, refusal: str | None
) -> None:
    assert may_replace(current, new) == refusal


@pytest.mark.parametrize(
    ("doubted", "chosen"),
    [
        ([], None),
        ([view(5, is_serving=False)], None),
        ([view(6, is_serving=False)], view(6, is_serving=False)),
        ([view(2)], view(2)),
        ([view(9, is_serving=False), view(2), view(3)], view(3)),
        ([view(7, is_serving=False), view(9, is_serving=False)], view(9, is_serving=False)),
        ([holed(7, 5), holed(7, 2), holed(6, 1)], holed(7, 2)),
    ],
)
def test_what_is_taken_when_every_node_is_doubted(doubted: list[ClusterView], chosen: ClusterView | None) -> None:
    assert last_resort(KNOWN, doubted) == chosen


@pytest.mark.parametrize(
    ("doubted", "chosen"),
    [
        ([view(5, nodes="ab")], None),
        ([view(5, nodes="ab"), view(2)], view(2)),
        ([view(1, nodes="cd")], view(1, nodes="cd")),
        ([view(9, nodes="cd", is_serving=False)], None),
        (
            [view(9, nodes="cd"), view(6, nodes="a", is_serving=False)],
            view(6, nodes="a", is_serving=False),
        ),
    ],
)
def test_the_same_cluster_never_goes_back_and_another_one_is_taken_last(
    doubted: list[ClusterView], chosen: ClusterView | None
) -> None:
    assert last_resort(NAMED, doubted) == chosen


@pytest.mark.parametrize(
    ("new", "epoch"),
    [
        (view(5, port=1, nodes="ab"), 6),
        (view(7, port=1, nodes="ab"), 7),
        (view(5, port=1, nodes="cd"), 5),
        (view(5, port=2, nodes="cd"), 5),
    ],
)
def test_who_agrees_does_not_lead_back(new: ClusterView, epoch: int) -> None:
    assert confirmed(None, new) == new
    assert confirmed(NAMED, new).epoch == epoch
    assert confirmed(NAMED, new).topology == new.topology
