"""Courses of events that the model has found, each by its name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.model.test_model import Proxy


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    machine = Proxy()
    yield machine
    machine.teardown()  # heals the world and checks everything


def test_what_was_said_not_to_be_executed_is_not_sent_when_the_connection_opens_after_all(proxy: Proxy) -> None:
    proxy.start(in_flight=8, output=1 << 26, parked=2, accepts=None)
    proxy.writes(count=2, cut=0, key=b"{a}x", who=0)
    proxy.waits(seconds=5.1)
    assert [reply.split(b" ")[0] for _, reply in proxy.clients[0].done] == [b"-CLUSTERDOWN"] * 2
    proxy.takes_connections(accepts=True, which=0)
    proxy.answers(count=2, cut=0, which=0)
    assert not proxy.keyspace.executed


def test_a_new_topology_lets_nobody_overtake_what_the_former_owner_has_yet_to_redirect(proxy: Proxy) -> None:
    proxy.start(in_flight=8, output=1 << 26, parked=2, accepts=True)
    proxy.begins_to_move(tag=b"b", which=0)
    proxy.writes(count=1, cut=0, key=b"{b}x", who=0)
    proxy.ends_moving(tag=b"b")
    proxy.refreshes()
    proxy.writes(count=1, cut=0, key=b"{b}x", who=0)
    proxy.reads(count=1, cut=0, tag=b"a", who=1)
    assert sum(len(connection.waiting) for connection in proxy.nodes[0].connections) == 1
    for which in (1, 0):
        proxy.answers(count=5, cut=0, which=which)
    assert proxy.keyspace.writes == {b"{b}x 1": [1, 2]}


def test_a_former_owner_that_is_gone_is_not_waited_for(proxy: Proxy) -> None:
    proxy.start(in_flight=8, output=1 << 26, parked=2, accepts=True)
    proxy.writes(count=1, cut=0, key=b"{b}x", who=0)
    proxy.has_faults = True
    former = proxy.nodes.pop(1)
    for tag, owner in proxy.keyspace.owner.items():
        if owner is former:
            proxy.keyspace.owner[tag] = proxy.nodes[0]
    proxy.refreshes()
    proxy.writes(count=1, cut=0, key=b"{b}x", who=1)
    proxy.answers(count=5, cut=0, which=0)
    assert [reply for _, reply in proxy.clients[1].done] == [b"+2-1\r\n"]
    former.lose(executed=0)
    proxy.settle()
    proxy.nodes.append(former)


def test_of_what_came_at_one_moment_what_has_been_at_a_node_goes_first(proxy: Proxy) -> None:
    proxy.start(in_flight=2, output=1 << 26, parked=2, accepts=True)
    proxy.begins_to_move(tag=b"b", which=0)
    proxy.transacts(cut=0, key=b"{a}x", who=0)
    proxy.writes(count=2, cut=0, key=b"{b}x", who=0)
    proxy.ends_moving(tag=b"b")
    proxy.refreshes()
    for which in (0, 1, 0):
        proxy.answers(count=10, cut=0, which=which)
    assert proxy.keyspace.writes[b"{b}x 1"] == [3, 4]


def test_a_refused_write_is_not_executed_after_a_later_one_of_its_client(proxy: Proxy) -> None:
    proxy.start(in_flight=8, output=1 << 26, parked=2, accepts=True)
    for who in (0, 0, 1):
        proxy.writes(count=1, cut=0, key=b"{a}x", who=who)
    proxy.sees_the_cluster(which=0, is_down=True)
    proxy.answers(count=1, cut=0, which=0)
    proxy.sees_the_cluster(which=0, is_down=False)
    proxy.waits(seconds=0.3)
    proxy.answers(count=10, cut=0, which=0)
    proxy.waits(seconds=0.3)
    assert [reply for _, reply in proxy.clients[0].done] == [b"-CLUSTERDOWN The cluster is down\r\n", b"+1-2\r\n"]
    assert proxy.keyspace.writes == {b"{a}x 1": [2], b"{a}x 2": [1]}


def test_what_was_refused_goes_on_when_nothing_of_its_client_was_executed_meanwhile(proxy: Proxy) -> None:
    proxy.start(in_flight=8, output=1 << 26, parked=2, accepts=True)
    proxy.writes(count=1, cut=0, key=b"{a}x", who=0)
    proxy.writes(count=2, cut=0, key=b"{a}x", who=0)
    proxy.writes(count=1, cut=0, key=b"{a}x", who=1)
    proxy.sees_the_cluster(which=0, is_down=True)
    proxy.answers(count=3, cut=0, which=0)
    proxy.sees_the_cluster(which=0, is_down=False)
    proxy.answers(count=1, cut=0, which=0)
    proxy.waits(seconds=0.3)
    proxy.answers(count=10, cut=0, which=0)
    assert proxy.keyspace.writes == {b"{a}x 1": [1, 2, 3], b"{a}x 2": [1]}
