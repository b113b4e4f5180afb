"""One node behind a bad network: its commands fail or wait, others do not notice, and it is found again."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis
from rproxy.demo.redis_process import RedisProcess
from tests.support import figures
from tests.support.client import RawClient
from tests.support.load import MAYBE, Load
from tests.support.proxy import Proxy, config_of
from tests.support.relay import RETRANSMISSION, DeafPort, Relay
from tests.support.relayed_cluster import RelayedCluster
from tests.support.resharding import keys_by_primary
from tests.support.stalls import Stalls
from tests.support.waiting import await_true

MAY_HAVE_RUN = b"may have been executed"
OP_TIMEOUT = 0.5
LATE = 0.2
"""Seconds by which every reply of a slow node comes too late."""
UNDISTURBED = 0.1
"""Seconds that no command of another node may take, besides what the machine does."""
SLOWER = 0.005
"""Seconds by which a slow node may delay most commands of others, besides what the machine does."""


@pytest.fixture
def relay(standalone: EmbeddedRedis) -> Iterator[Relay]:
    with Relay(standalone.port) as relay:
        yield relay


@pytest.fixture
def client(relay: Relay) -> Iterator[RawClient]:
    config = config_of(
        f"127.0.0.1:{relay.port}", settings={"op_timeout": f"{OP_TIMEOUT}s"}, cluster={"type": "standalone"}
    )
    with Proxy(config=config) as proxy, proxy.client() as client:
        assert client.command("SET", "a", "1") == b"+OK\r\n"
        yield client


def test_after_a_reset_it_goes_on(relay: Relay, client: RawClient) -> None:
    for _ in range(5):
        relay.reset()
        reply = client.command("INCR", "a")
        assert reply.startswith(b":") or MAY_HAVE_RUN in reply
        await_true(lambda: client.command("GET", "a").startswith(b"$"))


def test_a_reply_that_is_cut_reaches_nobody(relay: Relay, client: RawClient, standalone: EmbeddedRedis) -> None:
    standalone.call("SET", "big", "x" * 100_000)
    relay.faults.cut_after = 50_000
    relay.reset()
    assert client.command("EVAL", "return redis.call('GET', KEYS[1])", "1", "big").startswith(b"-")
    relay.faults.cut_after = None
    assert await_true(lambda: client.command("GET", "big") == b"$100000\r\n%s\r\n" % (b"x" * 100_000))


@pytest.mark.parametrize("kind", ["black hole", "half open"])
def test_a_connection_that_died_unseen_is_replaced(relay: Relay, client: RawClient, kind: str) -> None:
    if kind == "black hole":
        relay.faults.is_black_hole = True
    else:
        relay.half_open()
    accepted = relay.accepted
    assert MAY_HAVE_RUN in client.command("INCR", "a")
    relay.faults.is_black_hole = False
    assert await_true(lambda: client.command("GET", "a").startswith(b"$"), 20)
    assert relay.accepted > accepted


def test_a_subscriber_whose_connection_died_unseen_hears_messages_again(relay: Relay, client: RawClient) -> None:
    """Nothing is ever sent on such a connection but for the PINGs that find it dead."""
    client.send(b"SUBSCRIBE news\r\n")
    assert client.read_reply().startswith(b"*3\r\n$9\r\nsubscribe\r\n")
    relay.half_open()
    with RawClient(relay.target) as publisher:
        await_true(lambda: publisher.command("PUBSUB", "NUMSUB", "news").endswith(b":0\r\n"))
        await_true(lambda: publisher.command("PUBLISH", "news", "again") == b":1\r\n")
    assert client.read_reply() == b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nagain\r\n"


@dataclass
class Behind:
    """A cluster of 3 primaries, of which rproxy reaches one through a relay. ``mine`` are keys of that one."""

    cluster: EmbeddedCluster
    node: RedisProcess
    rest: list[RedisProcess]
    relay: Relay
    mine: list[str]
    others: list[str]

    def owner(self, key: str) -> RedisProcess:
        """The node that has a key."""
        return self.node if key in self.mine else next(each for each in self.rest if each.call("EXISTS", key))

    def clients(self) -> list[list[str]]:
        """4 that use the one node alone, and 12 that never use it."""
        return [self.mine[index : index + 2] for index in range(0, 8, 2)] + [
            self.others[index : index + 2] for index in range(0, 24, 2)
        ]


@contextmanager
def behind_relay() -> Iterator[Behind]:
    with RelayedCluster(replicas=0, extra_args=("--cluster-require-full-coverage", "no")) as cluster:
        node, *rest = cluster.primaries
        (relay,) = cluster.relays
        by_primary = keys_by_primary(cluster, (f"key:{number}" for number in range(200)))
        mine, others = by_primary[node.port], [key for other in rest for key in by_primary[other.port]]
        yield Behind(cluster, node, rest, relay, mine[:8], others[:24])


@pytest.mark.parametrize("seconds", [0.5, pytest.param(5.0, marks=figures.whole_suite)])
def test_a_slow_node_delays_nobody_who_does_not_use_it(seconds: float) -> None:
    """Every reply of one node comes 200 ms late: there is no latency snowball."""
    with (
        behind_relay() as behind,
        Proxy(["--seed", behind.cluster.seeds]) as proxy,
        Stalls() as stalls,
        Load(proxy.port, behind.clients()) as load,
    ):
        load.go_on(0.3)
        quiet = load.go_on(seconds)
        behind.relay.faults.reply_delay = LATE
        load.go_on(LATE)
        slow = load.go_on(seconds)
        behind.relay.faults.reply_delay = 0.0
        load.go_on(2 * LATE)
        after = load.go_on(0.3)
    journal = load.journal
    assert (journal.broken, journal.errors(), journal.wrong) == ([], [], [])
    own = journal.latency(behind.mine, *slow, share=0.0)
    assert own >= LATE
    assert journal.latency(behind.mine, *after, share=0.5) < LATE
    before, during = journal.latency(behind.others, *quiet), journal.latency(behind.others, *slow)
    worst = journal.worst_latency(behind.others, *slow)
    assert during < 2 * before + SLOWER + stalls.worst(*slow)
    assert worst < UNDISTURBED + 2 * stalls.worst(*slow)
    figures.note("a node is slow", "shortest wait of its own commands", f"{own * 1000:.0f} ms")
    figures.note("a node is slow", "p99 of the others, before", f"{before * 1000:.1f} ms")
    figures.note("a node is slow", "p99 of the others, meanwhile", f"{during * 1000:.1f} ms")
    figures.note("a node is slow", "commands that failed", str(len(journal.errors())))


@figures.whole_suite
def test_latency_and_loss_cost_time_and_nothing_else() -> None:
    with behind_relay() as behind, Proxy(["--seed", behind.cluster.seeds]) as proxy:
        behind.relay.faults.delay, behind.relay.faults.loss = 0.01, 0.05
        with Load(proxy.port, behind.clients()) as load:
            lossy = load.go_on(5.0)
    journal = load.journal
    assert (journal.broken, journal.errors(), journal.wrong) == ([], [], [])
    assert journal.worst_latency(behind.mine, *lossy) >= RETRANSMISSION
    own, p99 = journal.latency(behind.mine, *lossy), journal.latency(behind.others, *lossy)
    assert p99 < RETRANSMISSION / 2
    figures.note("latency and loss", "commands that failed or had a wrong reply", str(len(journal.errors())))
    figures.note("latency and loss", "p99 of the node that has 20 ms and 5 % loss", f"{own * 1000:.0f} ms")
    figures.note("latency and loss", "p99 of the others", f"{p99 * 1000:.1f} ms")


@figures.whole_suite
@pytest.mark.parametrize("kind", ["reset", "half open", "black hole"])
def test_what_a_bad_connection_costs_under_load(kind: str) -> None:
    """Again and again, and only clients of that node see it: an error that says what may have become of the command."""
    with behind_relay() as behind:
        config = config_of(behind.cluster.seeds, settings={"op_timeout": f"{OP_TIMEOUT}s"})
        with Proxy(config=config) as proxy, Stalls() as stalls, Load(proxy.port, behind.clients()) as load:
            load.go_on(0.5)
            began = time.monotonic()
            for _ in range(3):
                _break(behind.relay, kind)
                load.go_on(1.0)
                behind.relay.faults.is_black_hole = False
                mended = time.monotonic()
                await_true(lambda mended=mended: load.journal.first_success(behind.mine, mended))  # type: ignore[misc]
            ended = load.go_on(0.5)[1]
        journal = load.journal
        for key, (number, _) in journal.acknowledged.items():
            assert int(behind.owner(key).call("GET", key)) >= number
    errors = journal.errors(behind.mine)
    assert (journal.broken, journal.errors(behind.others)) == ([], [])
    assert [wrong for wrong in journal.wrong if wrong.key in behind.others] == []
    assert all(MAYBE in error.error or error.error.startswith("CLUSTERDOWN ") for error in errors)
    worst = journal.worst_latency(behind.others, began, ended)
    assert worst < UNDISTURBED + 2 * stalls.worst(began, ended)
    figures.note(f"connections are bad: {kind}", "commands that failed at that node, 3 times", str(len(errors)))
    figures.note(f"connections are bad: {kind}", "commands that failed elsewhere", "0")
    figures.note(f"connections are bad: {kind}", "longest wait elsewhere", f"{worst * 1000:.0f} ms")


def _break(relay: Relay, kind: str) -> None:
    if kind == "reset":
        relay.reset()
    elif kind == "half open":
        relay.half_open()
    else:
        relay.faults.is_black_hole = True


@figures.whole_suite
def test_a_node_that_swallows_connections_delays_nobody_else() -> None:
    """No SYN is answered: commands of its slots wait inside their time, and were not executed."""
    with behind_relay() as behind:
        port = behind.relay.port
        config = config_of(behind.cluster.seeds, settings={"op_timeout": f"{OP_TIMEOUT}s"})
        with Proxy(config=config) as proxy, Stalls() as stalls, Load(proxy.port, behind.clients()) as load:
            load.go_on(0.3)
            behind.relay.stop_listening()
            with DeafPort(port):
                behind.relay.reset()
                load.go_on(OP_TIMEOUT)
                deaf = load.go_on(4.0)
            behind.relay.listen_again()
            mended = time.monotonic()
            back = await_true(lambda: load.journal.first_success(behind.mine, mended)) - mended
    journal = load.journal
    errors = [error for error in journal.errors() if deaf[0] <= error.began and error.ended <= deaf[1]]
    assert (journal.broken, journal.errors(behind.others)) == ([], [])
    assert errors
    assert all(error.error.startswith("CLUSTERDOWN ") and "not executed" in error.error for error in errors)
    longest, stalled = max(error.latency for error in errors), 2 * stalls.worst(*deaf)
    assert longest < OP_TIMEOUT + UNDISTURBED + stalled
    worst = journal.worst_latency(behind.others, *deaf)
    assert worst < UNDISTURBED + stalled
    figures.note("a node swallows connections", "longest wait for its error, `op_timeout` 0.5 s", f"{longest:.2f} s")
    figures.note("a node swallows connections", "longest wait elsewhere", f"{worst * 1000:.0f} ms")
    figures.note("a node swallows connections", "first success after it listens again", f"{back * 1000:.0f} ms")
