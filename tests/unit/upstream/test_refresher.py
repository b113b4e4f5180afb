"""The refresher before scripted nodes: whom it asks and when, and what becomes of good, bad and doubtful answers."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import pytest

from rproxy.topology.redirection import RedirectionKind
from rproxy.topology.refresh import RefreshPolicy, RefreshSchedule
from rproxy.topology.slots import SLOT_COUNT
from rproxy.topology.snapshot import Endpoint, Topology
from rproxy.upstream import refresher as refreshing
from rproxy.upstream.failure import UNSERVED_SLOT
from rproxy.upstream.refresher import Refresher
from tests.support.fake_node import CLOSE, PATIENCE, SILENCE, Answer, Command, FakeNode, Gate, cluster_answers
from tests.support.upstream import Upstream, topology_of

NEVER = 86400.0
HIGH = 16383


def refresher_of(upstream: Upstream, *seeds: Endpoint, **policy: Any) -> Refresher:
    """A refresher that asks when it is told to, and on no period unless the policy has one."""
    schedule = RefreshSchedule(RefreshPolicy(**{"cluster_refresh_rate": NEVER, **policy}))
    upstream.cluster.refresher = Refresher(upstream.cluster, list(seeds), schedule)
    return upstream.cluster.refresher


async def node_of_its_own(start_node: Any, **keywords: Any) -> FakeNode:
    """A node that knows itself as the only primary."""
    node: FakeNode = await start_node()
    node.answers |= cluster_answers([node.endpoint], **keywords)
    return node


def questions(node: FakeNode) -> int:
    return sum(command[:2] == (b"CLUSTER", b"SLOTS") for command in node.received)


# -- what is done with answers


async def test_the_first_answer_is_served_from(start_node: Any, make_upstream: Any) -> None:
    node, replica = await start_node(), Endpoint("127.0.0.1", 2)
    node.answers |= cluster_answers([node.endpoint, replica])
    upstream = make_upstream()
    refresher = refresher_of(upstream, node.endpoint)
    assert refresher.age() is None
    await refresher.refresh()
    assert upstream.cluster.topology == topology_of((node.endpoint, replica))
    assert refresher.results == {"success": 1}
    assert refresher.age() is not None
    assert await upstream.call("GET", "a") == b"+OK\r\n"


async def test_it_authenticates_like_every_connection(start_node: Any, make_upstream: Any) -> None:
    node = await node_of_its_own(start_node)
    upstream = make_upstream(password="secret", username="app")
    await refresher_of(upstream, node.endpoint).refresh()
    assert node.received[:2] == [(b"AUTH", b"app", b"secret"), (b"CLUSTER", b"SLOTS")]


@pytest.mark.parametrize(
    "answers",
    [
        {"CLUSTER SLOTS": b"-ERR This instance has cluster support disabled\r\n"},
        {"CLUSTER SLOTS": b"*0\r\n"},
        {"CLUSTER SLOTS": b"$5\r\nhello\r\n"},
        {"CLUSTER SLOTS": b"garbage\r\n"},
        {"CLUSTER SLOTS": CLOSE},
        {"CLUSTER SLOTS": SILENCE},
        {"CLUSTER INFO": b"$4\r\nwhat\r\n"},
        {"AUTH": b"-WRONGPASS no\r\n"},
    ],
    ids=lambda answers: "-".join(map(str, *answers.items())),
)
async def test_after_a_bad_answer_the_old_topology_stays_and_the_next_node_is_asked(
    start_node: Any, make_upstream: Any, answers: dict[str, Answer]
) -> None:
    bad, good = await node_of_its_own(start_node), await start_node()
    bad.answers |= answers
    limit = 0.5 if SILENCE in answers.values() else PATIENCE
    upstream = make_upstream(topology_of((bad.endpoint,)), password="x", cluster_refresh_timeout=limit)
    alone = refresher_of(upstream, bad.endpoint)
    await alone.refresh()
    assert alone.results == {"failure": 1}
    assert upstream.cluster.topology == topology_of((bad.endpoint,))
    good.answers |= cluster_answers([bad.endpoint], [good.endpoint])
    refresher = refresher_of(upstream, bad.endpoint, good.endpoint)
    await refresher.refresh()
    assert refresher.results == {"success": 1}
    assert upstream.cluster.topology == topology_of((bad.endpoint,), (good.endpoint,))


async def test_a_node_that_hangs_holds_up_nothing(start_node: Any, make_upstream: Any) -> None:
    hanging, good = await start_node({"CLUSTER SLOTS": SILENCE}), await start_node()
    good.answers |= cluster_answers([good.endpoint])
    refresher = refresher_of(make_upstream(cluster_refresh_timeout=PATIENCE), hanging.endpoint, good.endpoint)
    await refresher.refresh()
    assert (questions(hanging), questions(good), refresher.results) == (1, 1, {"success": 1})
    await hanging.until_closed(0)


async def test_an_answer_that_takes_long_counts_if_the_others_are_no_good(start_node: Any, make_upstream: Any) -> None:
    slow, bad = await start_node(), await start_node({"CLUSTER SLOTS": b"-ERR\r\n", "CLUSTER INFO": b"-ERR\r\n"})
    slow.answers |= cluster_answers([slow.endpoint])
    answer, gate = slow.answers["CLUSTER SLOTS"], Gate()

    async def late(command: Command) -> Answer:
        await gate.is_open.wait()
        return answer

    slow.answers["CLUSTER SLOTS"] = late
    refresher = refresher_of(make_upstream(), slow.endpoint, bad.endpoint)
    refreshing = asyncio.create_task(refresher.refresh())
    await bad.heard("CLUSTER")
    gate.is_open.set()
    await refreshing
    assert refresher.results == {"success": 1}


async def test_a_node_that_is_behind_is_not_believed_while_another_knows_better(
    start_node: Any, make_upstream: Any
) -> None:
    old, new = await start_node(), await start_node()
    old.answers |= cluster_answers([old.endpoint], [new.endpoint], epoch=5)
    upstream = make_upstream()
    refresher = refresher_of(upstream, old.endpoint)
    await refresher.refresh()
    old.answers |= cluster_answers([old.endpoint], epoch=4)
    new.answers |= cluster_answers([new.endpoint], epoch=6)
    await refresher.refresh()
    assert upstream.cluster.topology == topology_of((new.endpoint,))
    assert refresher.results == {"success": 2, "refused": 1}


async def test_a_node_that_sees_the_cluster_as_failed_is_doubted(start_node: Any, make_upstream: Any) -> None:
    cut_off, well = await start_node(), await start_node()
    cut_off.answers |= cluster_answers([cut_off.endpoint], [well.endpoint], epoch=5)
    well.answers |= cluster_answers([well.endpoint], epoch=6)
    upstream = make_upstream()
    refresher = refresher_of(upstream, cut_off.endpoint)
    await refresher.refresh()
    cut_off.answers |= cluster_answers([cut_off.endpoint], epoch=5, state="fail")
    await refresher.refresh()
    assert upstream.cluster.topology == topology_of((well.endpoint,))


async def test_slots_that_one_node_knows_no_owner_of_stay_as_long_as_another_knows_it(
    start_node: Any, make_upstream: Any
) -> None:
    """As after a failover, when a node has heard of the demotion and not yet of the promotion."""
    ahead, well = await start_node(), await start_node()
    shards = ([ahead.endpoint], [well.endpoint])
    for node in (ahead, well):
        node.answers |= cluster_answers(*shards, epoch=5)
    upstream = make_upstream()
    refresher = refresher_of(upstream, ahead.endpoint, well.endpoint)
    await refresher.refresh()
    ahead.answers |= cluster_answers([ahead.endpoint], epoch=6, covered=8192)
    await refresher.refresh()
    assert upstream.cluster.topology.covered == SLOT_COUNT
    well.answers |= cluster_answers([ahead.endpoint], epoch=6, covered=8192)
    await refresher.refresh()
    assert upstream.cluster.topology.covered == 8192


async def test_what_every_node_says_is_believed_at_last(start_node: Any, make_upstream: Any) -> None:
    """A cluster that was built anew on the same addresses begins with low epochs."""
    node = await node_of_its_own(start_node, epoch=5)
    upstream = make_upstream()
    refresher = refresher_of(upstream, node.endpoint)
    await refresher.refresh()
    node.answers |= cluster_answers([node.endpoint], [Endpoint("127.0.0.1", 2)], epoch=1, name=b"new")
    await refresher.refresh()
    assert upstream.cluster.topology == topology_of((node.endpoint,), (Endpoint("127.0.0.1", 2),))
    assert refresher.results == {"success": 2, "refused": 1}


async def test_a_node_that_is_behind_is_not_believed_though_no_other_answers(
    start_node: Any, make_upstream: Any
) -> None:
    node = await node_of_its_own(start_node, epoch=5)
    upstream = make_upstream()
    refresher = refresher_of(upstream, node.endpoint)
    await refresher.refresh()
    node.answers |= cluster_answers([node.endpoint], [Endpoint("127.0.0.1", 2)], epoch=4)
    await refresher.refresh()
    assert upstream.cluster.topology == topology_of((node.endpoint,))
    assert refresher.results == {"success": 1, "refused": 1, "failure": 1}


async def test_an_address_that_another_cluster_has_got_does_not_lead_there(start_node: Any, make_upstream: Any) -> None:
    """The seeds say which cluster it is; where none of them answers, what is known stays in force."""
    seed, other = await start_node(), await start_node()
    seed.answers |= cluster_answers([other.endpoint], [seed.endpoint], epoch=5)
    upstream = make_upstream()
    refresher = refresher_of(upstream, seed.endpoint)
    await refresher.refresh()
    known = upstream.cluster.topology
    other.answers |= cluster_answers([other.endpoint], epoch=9, name=b"another")
    await refresher.refresh()
    assert refresher.results == {"success": 2, "refused": 1}
    await seed.stop()
    await refresher.refresh()
    assert upstream.cluster.topology == known
    assert refresher.results == {"success": 2, "refused": 2, "failure": 1}


# -- whom it asks


async def test_known_endpoints_that_are_up_are_asked_before_others_and_before_seeds(
    start_node: Any, make_upstream: Any
) -> None:
    seed, down, known = [await node_of_its_own(start_node) for _ in range(3)]
    await down.stop()
    topology = topology_of((down.endpoint,), (known.endpoint,))
    known.answers |= cluster_answers([down.endpoint], [known.endpoint])
    upstream = make_upstream(topology)
    upstream.send("SET", "a", "1", slot=0)
    await upstream.until(lambda: upstream.cluster.traffic.failed)
    await refresher_of(upstream, seed.endpoint).refresh()
    assert (questions(known), questions(seed)) == (1, 0)


async def test_who_is_named_by_a_moved_is_asked_first_for_a_while(
    start_node: Any, make_upstream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a failover another node may not list the promoted replica for a second, though its epoch is the same."""
    former, promoted, other = [await start_node() for _ in range(3)]
    stale = cluster_answers([former.endpoint], [other.endpoint])
    other.answers |= stale
    former.answers |= stale
    promoted.answers |= cluster_answers([promoted.endpoint, former.endpoint], [other.endpoint])
    upstream = make_upstream(topology_of((former.endpoint,), (other.endpoint,)))
    refresher = refresher_of(upstream, other.endpoint)
    upstream.cluster.move_slot(7, promoted.endpoint)
    await refresher.refresh()
    assert upstream.cluster.topology == topology_of((promoted.endpoint, former.endpoint), (other.endpoint,))
    upstream.cluster.swap(topology_of((former.endpoint,), (other.endpoint,)))
    await refresher.refresh()
    assert (questions(promoted), questions(former), questions(other)) == (2, 0, 0)
    monkeypatch.setattr(refreshing, "NAMED_FOR", 0.0)
    upstream.cluster.swap(topology_of((former.endpoint,), (other.endpoint,)))
    upstream.cluster.move_slot(7, promoted.endpoint)
    await refresher.refresh()
    assert questions(former) == 1


async def test_seeds_are_resolved_anew_when_no_known_endpoint_answers(
    start_node: Any, make_upstream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = await node_of_its_own(start_node), await node_of_its_own(start_node)
    addresses = {"redis.example": before.endpoint}

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        endpoint = addresses.get(host, Endpoint(host, port))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (endpoint.host, endpoint.port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    upstream = make_upstream()
    refresher = refresher_of(upstream, Endpoint("redis.example", 6379))
    await refresher.refresh()
    assert upstream.cluster.topology == topology_of((before.endpoint,))
    await before.stop()
    addresses["redis.example"] = after.endpoint
    await refresher.refresh()
    assert upstream.cluster.topology == topology_of((after.endpoint,))


async def test_a_name_that_is_none_does_not_end_the_asking(start_node: Any, make_upstream: Any) -> None:
    node = await node_of_its_own(start_node)
    upstream = make_upstream()
    refresher = refresher_of(upstream, Endpoint("a..b", 6379), node.endpoint)
    await refresher.refresh()
    assert refresher.results == {"success": 1}


# -- when it asks


async def test_it_asks_at_once_and_then_on_a_period(start_node: Any, make_upstream: Any) -> None:
    node = await node_of_its_own(start_node)
    refresher = refresher_of(make_upstream(), node.endpoint, cluster_refresh_rate=0.01)
    refresher.start()
    await node.heard("CLUSTER", 6)
    assert refresher.results["success"] >= 2


async def test_it_goes_on_after_failures(start_node: Any, make_upstream: Any) -> None:
    node = await start_node({"CLUSTER SLOTS": b"*0\r\n"})
    upstream = make_upstream()
    refresher = refresher_of(upstream, node.endpoint)
    refresher.start()
    await upstream.until(lambda: refresher.results["failure"])
    node.answers |= cluster_answers([node.endpoint])
    await upstream.until(lambda: upstream.cluster.topology.covered)


@pytest.mark.parametrize("kind", ["failure", *RedirectionKind])
async def test_hints_bring_a_refresh_about(start_node: Any, make_upstream: Any, kind: Any) -> None:
    node = await node_of_its_own(start_node)
    upstream = make_upstream()
    refresher = refresher_of(upstream, node.endpoint, redirect_refresh_threshold=1)
    refresher.start()
    await upstream.until(lambda: refresher.results["success"])
    if kind == "failure":
        refresher.on_failure()
    else:
        refresher.on_redirection(kind)
    if kind in (RedirectionKind.TRYAGAIN, RedirectionKind.LOADING):
        await asyncio.sleep(0.15)  # beyond the debounce: nothing is to come
        assert questions(node) == 1
    else:
        await upstream.until(lambda: refresher.results["success"] == 2)


async def test_an_endpoint_that_becomes_slow_brings_a_refresh_about_where_that_is_wanted(
    start_node: Any, make_upstream: Any
) -> None:
    node = await node_of_its_own(start_node)
    node.answers["GET"] = SILENCE
    upstream = make_upstream(op_timeout=0.1)
    refresher = refresher_of(upstream, node.endpoint, host_degraded_refresh_threshold=1, failure_refresh_threshold=0)
    refresher.start()
    await upstream.until(lambda: upstream.cluster.topology.covered)
    assert b"gave no answer in time" in await upstream.call("GET", "a")
    await upstream.until(lambda: refresher.results["success"] == 2)


async def test_one_refresh_at_a_time_whatever_is_hinted_meanwhile(start_node: Any, make_upstream: Any) -> None:
    node = await node_of_its_own(start_node)
    right = node.answers["CLUSTER SLOTS"]
    gate = asyncio.Event()

    async def later(command: Command) -> bytes:
        await gate.wait()
        assert isinstance(right, bytes)
        return right

    node.answers["CLUSTER SLOTS"] = later
    upstream = make_upstream()
    refresher = refresher_of(upstream, node.endpoint)
    refresher.start()
    await node.heard("CLUSTER")
    for _ in range(50):
        refresher.on_failure()
        await asyncio.sleep(0)
    assert questions(node) == 1
    gate.set()
    await upstream.until(lambda: refresher.results["success"] == 2)
    assert questions(node) == 2


async def test_a_redirection_to_an_unknown_endpoint_has_the_whole_topology_asked_for(
    start_node: Any, make_upstream: Any
) -> None:
    node, unknown = await node_of_its_own(start_node), await start_node()
    upstream = make_upstream()
    refresher_of(upstream, node.endpoint).start()
    await upstream.until(lambda: upstream.cluster.topology.covered)
    node.answers["GET"] = f"-MOVED 7 {unknown.endpoint}\r\n".encode()
    node.answers |= cluster_answers([unknown.endpoint], epoch=2)
    assert await upstream.call("GET", "a", slot=7) == b"+OK\r\n"
    await upstream.until(lambda: upstream.cluster.topology == topology_of((unknown.endpoint,)))


async def test_a_lost_connection_has_the_topology_asked_for(start_node: Any, make_upstream: Any) -> None:
    dying, node = await start_node(), await start_node()
    node.answers |= cluster_answers([dying.endpoint], epoch=1)
    upstream = make_upstream()
    refresher_of(upstream, node.endpoint).start()
    await upstream.until(lambda: upstream.cluster.topology.covered)
    await upstream.call("GET", "a")
    node.answers |= cluster_answers([node.endpoint], epoch=2)
    await dying.stop()
    await upstream.until(lambda: upstream.cluster.topology == topology_of((node.endpoint,)))


async def test_a_slot_without_an_owner_has_the_topology_asked_for(start_node: Any, make_upstream: Any) -> None:
    node = await start_node()
    node.answers |= cluster_answers([node.endpoint], covered=8192)
    upstream = make_upstream()
    refresher = refresher_of(upstream, node.endpoint)
    await refresher.refresh()
    refresher.start()
    await upstream.until(lambda: questions(node) == 2)
    node.answers |= cluster_answers([node.endpoint])
    assert await upstream.call("GET", "a", slot=HIGH) == UNSERVED_SLOT.line()
    await upstream.until(lambda: upstream.cluster.topology.covered == SLOT_COUNT)
    assert await upstream.call("GET", "a", slot=HIGH) == b"+OK\r\n"


async def test_it_can_be_stopped_while_it_asks(start_node: Any, make_upstream: Any) -> None:
    node = await start_node({"CLUSTER SLOTS": SILENCE})
    upstream = make_upstream()
    refresher = refresher_of(upstream, node.endpoint)
    await refresher.stop()
    refresher.start()
    await node.heard("CLUSTER")
    await refresher.stop()
    await node.until_closed(0)
    assert upstream.cluster.topology == Topology.empty()


# -- what it says


async def test_a_trouble_is_logged_once_and_tells_no_secret(
    start_node: Any, make_upstream: Any, caplog: pytest.LogCaptureFixture
) -> None:
    node = await start_node({"AUTH": b"-WRONGPASS invalid username-password pair\r\n"})
    refresher = refresher_of(make_upstream(password="secret"), node.endpoint)
    with caplog.at_level(logging.INFO, "rproxy.topology"):
        for _ in range(3):
            await refresher.refresh()
        assert caplog.messages == [
            f"cluster main: no usable topology: {node.endpoint}: AUTH was refused: "
            "WRONGPASS invalid username-password pair"
        ]
        node.answers = dict(cluster_answers([node.endpoint]))
        await refresher.refresh()
        await refresher.refresh()
    assert caplog.messages[1:] == ["cluster main: 1 shards, 0 replicas, 16384 slots"]
