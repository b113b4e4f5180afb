"""The shared subscriptions of a cluster before scripted nodes: where topics come from, and what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from rproxy.topology.snapshot import NO_SHARD, Topology
from rproxy.upstream.subscription import Claim, Kind, Topic
from rproxy.upstream.subscriptions import Subscriptions
from tests.support.fake_node import CLOSE, SILENCE, Command, FakeNode
from tests.support.pubsub import asked, confirm, pubsub_answers, push, push_3, subscriber
from tests.support.upstream import Upstream, topology_of

NEWS = Topic(Kind.CHANNEL, b"news")
ALL = Topic(Kind.PATTERN, b"*")
EXPIRED = Topic(Kind.CHANNEL, b"__keyevent@0__:expired")
SHARD_B = Topic(Kind.SHARD, b"b")
"""Its slot is the first shard's."""
SHARD_A = Topic(Kind.SHARD, b"a")
"""Its slot is the last shard's."""


class Listener:
    """A client of ``subscriptions`` with one claim."""

    def __init__(self, subscriptions: Subscriptions, topic: Topic) -> None:
        self._subscriptions = subscriptions
        self.settled: list[bytes | None] = []
        self.heard: list[tuple[bytes, bytes]] = []
        self.claim: Claim = subscriptions.claim(topic, self._on_settled)
        if self.settled == [None]:
            self._listen()

    def _on_settled(self, error: bytes | None) -> None:
        self.settled.append(error)
        if error is None and hasattr(self, "claim"):
            self._listen()

    def _listen(self) -> None:
        self._subscriptions.listen(self.claim, lambda *pushes: self.heard.append(pushes))

    def leave(self) -> None:
        self._subscriptions.release(self.claim)


class Hub(Upstream):
    """A cluster whose subscriptions are tested."""

    @property
    def subscriptions(self) -> Subscriptions:
        subscriptions: Subscriptions = self.cluster.subscriptions
        return subscriptions

    def claim(self, topic: Topic) -> Listener:
        return Listener(self.subscriptions, topic)

    async def listener(self, topic: Topic) -> Listener:
        """One whose claim is confirmed."""
        listener = self.claim(topic)
        await self.until(lambda: listener.settled)
        assert listener.settled == [None]
        return listener


@pytest.fixture
async def nodes(start_node: Any) -> list[FakeNode]:
    return [await start_node(pubsub_answers()) for _ in range(2)]


@pytest.fixture
async def hub(nodes: list[FakeNode], make_hub: Callable[..., Hub]) -> Hub:
    return make_hub(topology_of(*((node.endpoint,) for node in nodes)))


@pytest.fixture
async def make_hub(start_node: Any, op_timeout: float) -> Any:
    made: list[Hub] = []

    def make(topology: Topology | None = None, **keywords: Any) -> Hub:
        made.append(Hub(topology, **{"op_timeout": op_timeout, **keywords}))
        return made[-1]

    yield make
    for hub in made:
        await hub.close()


def carrier_of(hub: Hub, nodes: list[FakeNode]) -> tuple[FakeNode, FakeNode]:
    """The carrier, and the other node."""
    first, second = nodes
    return (first, second) if hub.subscriptions.carrier == first.endpoint else (second, first)


# -- sharing


async def test_a_claim_is_settled_when_the_node_has_confirmed(hub: Hub, nodes: list[FakeNode]) -> None:
    listener = hub.claim(NEWS)
    assert listener.settled == []
    await hub.until(lambda: listener.settled)
    assert listener.settled == [None]
    carrier, other = carrier_of(hub, nodes)
    assert (asked(carrier), asked(other)) == ([("subscribe", "news")], [])


async def test_clients_share_one_subscription(hub: Hub, nodes: list[FakeNode]) -> None:
    early = await hub.listener(NEWS)
    late = hub.claim(NEWS)
    assert late.settled == [None]
    carrier, _ = carrier_of(hub, nodes)
    subscriber(carrier).send(push("message", "news", "1"))
    await hub.until(lambda: late.heard)
    assert early.heard == late.heard == [(push("message", "news", "1"), push_3("message", "news", "1"))]
    assert (hub.subscriptions.delivered, hub.subscriptions.listening) == (2, 2)
    assert hub.cluster.describe()["subscriptions"] == {"topics": 1, "clients": 2, "carrier": str(carrier.endpoint)}
    early.leave()
    assert asked(carrier) == [("subscribe", "news")]
    late.leave()
    late.leave()
    await hub.until(lambda: len(asked(carrier)) == 2)
    assert asked(carrier)[-1] == ("unsubscribe", "news")
    assert hub.subscriptions.listening == 0


async def test_who_has_left_or_waits_hears_nothing(hub: Hub, nodes: list[FakeNode]) -> None:
    leaving, staying = await hub.listener(NEWS), await hub.listener(NEWS)
    waiting = hub.subscriptions.claim(NEWS, lambda error: None)
    leaving.leave()
    subscriber(carrier_of(hub, nodes)[0]).send(push("message", "news", "1"))
    await hub.until(lambda: staying.heard)
    assert not leaving.heard
    assert hub.subscriptions.delivered == 1
    hub.subscriptions.release(waiting)


async def test_one_who_leaves_while_a_message_is_shared_out_does_no_harm(hub: Hub, nodes: list[FakeNode]) -> None:
    first, second = await hub.listener(NEWS), await hub.listener(NEWS)
    first.claim.hear = lambda *pushes: second.leave()
    third = await hub.listener(NEWS)
    subscriber(carrier_of(hub, nodes)[0]).send(push("message", "news", "1"))
    await hub.until(lambda: third.heard)


async def test_a_topic_that_is_left_and_taken_up_again_is_there(hub: Hub, nodes: list[FakeNode]) -> None:
    await hub.listener(Topic(Kind.CHANNEL, b"other"))
    for _ in range(3):
        hub.claim(NEWS).leave()
    listener = await hub.listener(NEWS)
    carrier, _ = carrier_of(hub, nodes)
    assert asked(carrier)[1:] == [("subscribe", "news"), ("unsubscribe", "news")] * 3 + [("subscribe", "news")]
    subscriber(carrier).send(push("message", "news", "1"))
    await hub.until(lambda: listener.heard)


async def test_messages_in_pieces_are_put_together(hub: Hub, nodes: list[FakeNode]) -> None:
    listener = await hub.listener(NEWS)
    peer = subscriber(carrier_of(hub, nodes)[0])
    messages = [push("message", "news", "x" * size) for size in (0, 1, 5000)]
    for byte in b"".join(messages)[:200]:
        peer.send(bytes((byte,)))
    peer.send(b"".join(messages)[200:])
    await hub.until(lambda: len(listener.heard) == 3)
    assert [in_resp2 for in_resp2, _ in listener.heard] == messages


# -- where topics come from


async def test_sharded_channels_come_from_their_shard(hub: Hub, nodes: list[FakeNode]) -> None:
    listeners = [await hub.listener(SHARD_B), await hub.listener(SHARD_A)]
    assert [asked(node) for node in nodes] == [[("ssubscribe", "b")], [("ssubscribe", "a")]]
    for node, name in zip(nodes, ("b", "a"), strict=True):
        subscriber(node).send(push("smessage", name, "1"))
    await hub.until(lambda: all(listener.heard for listener in listeners))


async def test_notifications_come_from_every_primary(hub: Hub, nodes: list[FakeNode]) -> None:
    listener = await hub.listener(EXPIRED)
    for number, node in enumerate(nodes):
        subscriber(node).send(push("message", EXPIRED.name, str(number)))
    await hub.until(lambda: len(listener.heard) == 2)


async def test_what_goes_to_every_node_is_heard_once(hub: Hub, nodes: list[FakeNode]) -> None:
    listener = await hub.listener(ALL)
    carrier, other = carrier_of(hub, nodes)
    for node in (other, carrier):
        subscriber(node).send(push("pmessage", "*", "news", "1") + push("pmessage", "*", EXPIRED.name, "key"))
    await hub.until(lambda: len(listener.heard) == 3)
    assert sum(b"news" in in_resp2 for in_resp2, _ in listener.heard) == 1


async def test_without_a_topology_the_claim_fails_at_once(make_hub: Callable[..., Hub]) -> None:
    hub = make_hub()
    assert hub.claim(NEWS).settled == [b"-CLUSTERDOWN the topology of cluster 'main' is not known yet\r\n"]


async def test_a_sharded_channel_waits_for_the_next_owner_of_its_slot(hub: Hub, nodes: list[FakeNode]) -> None:
    whole = hub.cluster.topology
    hub.cluster.swap(Topology(whole.shards, (NO_SHARD,) * 4000 + whole.slots[4000:]))
    listener = hub.claim(SHARD_B)
    assert listener.settled == []
    hub.cluster.swap(whole)
    await hub.until(lambda: listener.settled)
    assert listener.settled == [None]
    assert asked(nodes[0]) == [("ssubscribe", "b")]


# -- refusals


async def test_an_error_is_for_those_who_wait(hub: Hub, nodes: list[FakeNode]) -> None:
    for node in nodes:
        node.answers["SSUBSCRIBE"] = b"-NOPERM no\r\n"
    listener = hub.claim(SHARD_B)
    await hub.until(lambda: listener.settled)
    assert listener.settled == [b"-NOPERM no\r\n"]
    nodes[0].answers["SSUBSCRIBE"] = confirm
    await hub.listener(SHARD_B)


async def test_an_error_is_of_the_command_it_answers(hub: Hub, nodes: list[FakeNode]) -> None:
    def refuse_x(command: Command) -> bytes:
        return b"-ERR x\r\n" if command[1] == b"x" else confirm(command)

    for node in nodes:
        node.answers["SUBSCRIBE"] = refuse_x
    listeners = [hub.claim(Topic(Kind.CHANNEL, name)) for name in (b"a", b"x", b"b")]
    await hub.until(lambda: all(listener.settled for listener in listeners))
    assert [listener.settled for listener in listeners] == [[None], [b"-ERR x\r\n"], [None]]


@pytest.mark.late
async def test_what_is_never_confirmed_fails_in_time(hub: Hub, nodes: list[FakeNode]) -> None:
    for node in nodes:
        node.answers["SUBSCRIBE"] = SILENCE
    listener = hub.claim(NEWS)
    await hub.until(lambda: listener.settled)
    assert listener.settled[0] is not None
    assert listener.settled[0].startswith(b"-CLUSTERDOWN no endpoint of cluster 'main'")
    assert hub.cluster.failures["unreachable"] == 1


@pytest.mark.late
async def test_nobody_there_is_said_in_time(make_hub: Callable[..., Hub], start_node: Any) -> None:
    gone = await start_node()
    await gone.stop()
    hub = make_hub(topology_of((gone.endpoint,)))
    listener = hub.claim(NEWS)
    await hub.until(lambda: listener.settled)
    assert listener.settled[0] is not None
    assert str(gone.endpoint).encode() in listener.settled[0]


async def test_a_node_that_cannot_yet_is_asked_again(hub: Hub, nodes: list[FakeNode]) -> None:
    nodes[0].answers["SSUBSCRIBE"] = [b"-CLUSTERDOWN down\r\n", push("ssubscribe", "b", 1)]
    await hub.listener(SHARD_B)
    assert asked(nodes[0]) == [("ssubscribe", "b")] * 2


# -- changes


async def test_a_lost_connection_is_made_up_for(hub: Hub, nodes: list[FakeNode]) -> None:
    listener = await hub.listener(NEWS)
    subscriber(carrier_of(hub, nodes)[0]).close()
    await hub.until(lambda: hub.subscriptions.renewed == 1)
    subscriber(carrier_of(hub, nodes)[0]).send(push("message", "news", "1"))
    await hub.until(lambda: listener.heard)
    assert listener.settled == [None]


async def test_the_other_node_carries_on_when_one_dies(hub: Hub, nodes: list[FakeNode]) -> None:
    listener = await hub.listener(NEWS)
    carrier, other = carrier_of(hub, nodes)
    await carrier.stop()
    await hub.until(lambda: hub.subscriptions.renewed == 1)
    assert hub.subscriptions.carrier == other.endpoint
    subscriber(other).send(push("message", "news", "1"))
    await hub.until(lambda: listener.heard)


async def test_a_connection_is_closed_on_nonsense(hub: Hub, nodes: list[FakeNode]) -> None:
    await hub.listener(NEWS)
    for number, nonsense in enumerate([b"garbage\r\n", b"+OK\r\n", push("subscribe", "x", 1), b"*1\r\n:1\r\n"]):
        subscriber(carrier_of(hub, nodes)[0]).send(nonsense)
        await hub.until(lambda renewed=number + 1: hub.subscriptions.renewed == renewed)


@pytest.mark.late
async def test_a_silent_node_is_given_up(hub: Hub, nodes: list[FakeNode], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rproxy.upstream.subscriber_node._PING_AFTER", 0.01)
    await hub.listener(NEWS)
    carrier, other = carrier_of(hub, nodes)
    await carrier.heard("ping", 2)
    carrier.answers["PING"] = SILENCE
    await hub.until(lambda: hub.subscriptions.carrier == other.endpoint)
    await hub.until(lambda: hub.subscriptions.renewed == 1)


async def test_a_moved_channel_is_followed(hub: Hub, nodes: list[FakeNode]) -> None:
    there = nodes[1].endpoint
    nodes[0].answers["SSUBSCRIBE"] = f"-MOVED 3300 {there}\r\n".encode()
    await hub.listener(SHARD_B)
    assert asked(nodes[1]) == [("ssubscribe", "b")]
    assert hub.cluster.topology.shard_of(3300).primary == there


async def test_a_channel_whose_slot_moves_away_is_followed(hub: Hub, nodes: list[FakeNode]) -> None:
    listener = await hub.listener(SHARD_B)
    nodes[0].answers["SSUBSCRIBE"] = f"-MOVED 3300 {nodes[1].endpoint}\r\n".encode()
    subscriber(nodes[0]).send(push("sunsubscribe", "b", 0))
    await hub.until(lambda: hub.subscriptions.renewed == 1)
    subscriber(nodes[1]).send(push("smessage", "b", "1"))
    await hub.until(lambda: listener.heard)


@pytest.mark.late
async def test_nodes_that_send_each_to_the_other_are_not_asked_without_end(hub: Hub, nodes: list[FakeNode]) -> None:
    for node, other in (nodes, nodes[::-1]):
        node.answers["SSUBSCRIBE"] = f"-MOVED 3300 {other.endpoint}\r\n".encode()
    listener = hub.claim(SHARD_B)
    await hub.until(lambda: listener.settled)
    assert listener.settled[0] is not None
    assert listener.settled[0].startswith(b"-MOVED 3300 ")
    assert 2 < sum(map(len, map(asked, nodes))) < 200


async def test_an_unasked_end_that_meets_our_own_confuses_no_later_answer(hub: Hub, nodes: list[FakeNode]) -> None:
    listener = await hub.listener(SHARD_B)
    # The slot moved while SUNSUBSCRIBE was under way: the node pushes the end by itself and then answers MOVED.
    nodes[0].answers["SUNSUBSCRIBE"] = (push("sunsubscribe", "b", 0), f"-MOVED 3300 {nodes[1].endpoint}\r\n".encode())
    listener.leave()
    await hub.listener(Topic(Kind.SHARD, b"f"))


async def test_a_new_topology_moves_what_it_has_to(hub: Hub, nodes: list[FakeNode], start_node: Any) -> None:
    everything = [await hub.listener(topic) for topic in (NEWS, EXPIRED, SHARD_B)]
    third = await start_node(pubsub_answers())
    hub.cluster.swap(topology_of((third.endpoint,)))
    await hub.until(lambda: len(asked(third)) == 3)
    await hub.until(lambda: hub.subscriptions.renewed == 3)
    assert hub.subscriptions.carrier == third.endpoint
    subscriber(third).send(b"".join(push("message", topic.name, "1") for topic in (NEWS, EXPIRED)))
    subscriber(third).send(push("smessage", "b", "1"))
    await hub.until(lambda: all(len(listener.heard) == 1 for listener in everything))


@pytest.mark.parametrize("is_lost", [False, True])
async def test_a_former_carrier_is_listened_to_until_its_successor_confirms(
    hub: Hub, nodes: list[FakeNode], is_lost: bool
) -> None:
    """``CLUSTER SLOTS`` may leave out a healthy node for a moment, such as a primary that has become a replica."""
    listener = await hub.listener(NEWS)
    carrier, other = carrier_of(hub, nodes)
    may_confirm = asyncio.Event()

    async def confirm_later(command: Command) -> bytes:
        await may_confirm.wait()
        return confirm(command)

    other.answers["SUBSCRIBE"] = confirm_later
    hub.cluster.swap(topology_of((other.endpoint,)))
    await hub.until(lambda: asked(other))
    subscriber(carrier).send(push("message", "news", "1"))
    await hub.until(lambda: listener.heard)
    if is_lost:
        subscriber(carrier).close()
    may_confirm.set()
    await hub.until(lambda: hub.subscriptions.renewed == 1)
    if not is_lost:
        await hub.until(lambda: asked(carrier)[-1] == ("unsubscribe", "news"))
        subscriber(carrier).send(push("message", "news", "2"))
    subscriber(other).send(push("message", "news", "3"))
    await hub.until(lambda: len(listener.heard) == 2)
    assert [in_resp2 for in_resp2, _ in listener.heard] == [push("message", "news", number) for number in "13"]


async def test_a_carrier_that_is_listed_again_goes_on(hub: Hub, nodes: list[FakeNode]) -> None:
    listener = await hub.listener(NEWS)
    carrier, other = carrier_of(hub, nodes)
    other.answers["SUBSCRIBE"] = SILENCE
    hub.cluster.swap(topology_of((other.endpoint,)))
    await hub.until(lambda: asked(other))
    hub.cluster.swap(topology_of((carrier.endpoint,)))
    late = await hub.listener(NEWS)
    subscriber(carrier).send(push("message", "news", "1"))
    await hub.until(lambda: listener.heard and late.heard)
    assert asked(carrier) == [("subscribe", "news")]


async def test_a_carrier_that_became_a_replica_stays(hub: Hub, nodes: list[FakeNode]) -> None:
    listener = await hub.listener(ALL)
    carrier, other = carrier_of(hub, nodes)
    hub.cluster.swap(topology_of((other.endpoint, carrier.endpoint)))
    await hub.listener(NEWS)
    assert hub.subscriptions.carrier == carrier.endpoint
    subscriber(carrier).send(push("pmessage", "*", EXPIRED.name, "of a replica") + push("pmessage", "*", "news", "1"))
    await hub.until(lambda: listener.heard)
    assert [in_resp2 for in_resp2, _ in listener.heard] == [push("pmessage", "*", "news", "1")]


async def test_a_connection_without_topics_is_closed_after_a_while(
    hub: Hub, nodes: list[FakeNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rproxy.upstream.subscriber_node._LINGER", 0.01)
    (await hub.listener(SHARD_B)).leave()
    await nodes[0].until_closed(0)
    await hub.until(lambda: hub.cluster.traffic.active == 0)
    await hub.listener(SHARD_B)


@pytest.mark.late
async def test_a_node_that_hangs_up_at_once_is_not_called_without_pause(hub: Hub, nodes: list[FakeNode]) -> None:
    nodes[0].answers["SSUBSCRIBE"] = CLOSE
    listener = hub.claim(SHARD_B)
    await hub.until(lambda: listener.settled)
    assert 2 <= len(asked(nodes[0])) < 10


async def test_closing_tells_those_who_wait(make_hub: Callable[..., Hub], start_node: Any) -> None:
    node = await start_node({"SUBSCRIBE": SILENCE})
    hub = make_hub(topology_of((node.endpoint,)))
    listener = hub.claim(NEWS)
    hub.subscriptions.close()
    assert listener.settled[0] is not None
    assert b"rproxy is stopping" in listener.settled[0]
    listener.leave()
