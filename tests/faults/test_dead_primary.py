"""A primary is killed, or hangs, while 16 clients write and read."""

import statistics
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.redis_process import RedisProcess
from tests.support import figures
from tests.support.client import pack
from tests.support.load import MAYBE, Load, add_and_look
from tests.support.proxy import Proxy, config_of
from tests.support.resharding import keys_by_primary
from tests.support.stalls import Stalls
from tests.support.waiting import await_true

CLIENTS = 16
UNDISTURBED = 0.1
"""Seconds that no command of another shard may take, besides what the machine does."""
SOON = 0.1
"""Seconds after the promotion in which commands of the shard succeed again, besides what the machine does."""
KILLS = 5
OP_TIMEOUT = 5.0
"""The default."""
HANG_TIMEOUT = 0.5
HUNG = ("gave no answer in time", "silent for too long", "could take the command in time")
"""What is said of a node that hangs: at first, of a connection that is dialled anew, and when that is in vain."""
LOOSE = 1.0
"""Seconds that bound times in the short run, beside other tests: far above what a loaded machine adds."""


def clients_of_one_shard_each(cluster: EmbeddedCluster) -> list[list[str]]:
    """Two keys for every client; clients use the shards in turn."""
    shards = list(keys_by_primary(cluster, (f"key:{number}" for number in range(600))).values())
    return [shards[index % len(shards)][2 * index : 2 * index + 2] for index in range(CLIENTS)]


def of_shard(clients: list[list[str]], mine: set[str]) -> tuple[list[str], list[str]]:
    """The keys of a shard, and all others."""
    every = [key for keys in clients for key in keys]
    return [key for key in every if key in mine], [key for key in every if key not in mine]


class Promotion:
    """Watches a replica, and notes when it first says that it is a primary."""

    def __init__(self, replica: RedisProcess) -> None:
        self.at = 0.0
        self._replica = replica
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        with self._replica.connect() as client:
            while client.call("ROLE")[0] != b"master":
                time.sleep(0.005)
        self.at = time.monotonic()

    def wait(self) -> float:
        """When it happened."""
        self._thread.join(20)
        assert self.at, "no replica was promoted"
        return self.at


class DirectClient:
    """A cluster-aware client that talks to a primary itself: adds one number after the other to a set of its shard.

    What it lost is what replication lost, and what no proxy could have kept.
    """

    def __init__(self, primary: RedisProcess, key: str) -> None:
        self.sent: list[float] = []
        """When each acknowledged number was sent."""
        self._key = key
        self._client = primary.connect()
        self._thread = threading.Thread(target=self._add, daemon=True)
        self._thread.start()

    def _add(self) -> None:
        try:
            while True:
                began = time.monotonic()
                self._client.call("SADD", self._key, len(self.sent))
                self.sent.append(began)
                time.sleep(0.001)
        except OSError:
            self._client.close()

    def kept_until(self, members: set[int]) -> tuple[float, int]:
        """When the last number was sent that is still there, and how many acknowledged ones are missing."""
        self._thread.join(20)
        kept = [number for number in range(len(self.sent)) if number in members]
        assert kept == list(range(len(kept))), "replication keeps the order"
        return self.sent[len(kept) - 1], len(self.sent) - len(kept)


def members_of(cluster: EmbeddedCluster, keys: list[str]) -> dict[str, set[int]]:
    return {key: {int(member) for member in cluster.primary_of(key).call("SMEMBERS", key)} for key in keys}


@dataclass(frozen=True)
class Killing:
    """One primary that was killed under load, and what its clients and the others saw."""

    errors: int
    first_success: float
    """Seconds from the promotion to the first success."""
    before: float
    during: float
    """The longest wait in other shards, in seconds: before the kill, and until service was back."""
    stalled: float
    """The longest delay of the machine itself meanwhile."""
    lost: int
    lost_directly: int
    """Acknowledged writes that are missing, of all clients of the shard and of the one that talked directly."""


def kill_under_load(cluster: EmbeddedCluster, proxy: Proxy, attempt: int) -> Killing:
    """Kill the primary of ``b`` and check all that is promised but for times."""
    clients = [[f"{key}:{attempt}" for key in keys] for keys in clients_of_one_shard_each(cluster)]
    primary, replica = cluster.shard_of("b")
    by_primary = keys_by_primary(cluster, [key for keys in clients for key in keys])
    mine, others = of_shard(clients, set(by_primary[primary.port]))
    affected = sum(1 for keys in clients if set(keys) & set(mine))
    beside = f"{{{mine[0]}}}direct"
    with Stalls() as stalls, Load(proxy.port, clients, add_and_look) as load:
        direct = DirectClient(primary, beside)
        quiet = load.go_on(1.0)
        promotion = Promotion(replica)
        killed_at = time.monotonic()
        primary.kill()
        promoted_at = promotion.wait()
        first = await_true(lambda: load.journal.first_success(mine, promoted_at), 20)
        until = load.go_on(0.5)[1]
    journal = load.journal
    errors = journal.errors(mine)
    assert (journal.broken, journal.errors(others)) == ([], [])
    # A client had at most one write on its way at the kill; a read on its way is sent again.
    assert len(errors) <= affected
    assert all(MAYBE in error.error and error.command == "SADD" and error.began <= killed_at + 0.1 for error in errors)
    blocked = [e for e in journal.entries if e.key in set(mine) and killed_at < e.began < promoted_at and not e.error]
    waited = [entry for entry in blocked if entry.latency > UNDISTURBED]
    assert waited
    assert all(entry.latency < OP_TIMEOUT for entry in waited)
    found = members_of(cluster, [*mine, *others, beside])
    kept_until, lost_directly = direct.kept_until(found[beside])
    added = [entry for entry in journal.entries if entry.command == "SADD" and not entry.error]
    lost = [entry for entry in added if entry.number not in found[entry.key]]
    # What was acknowledged before a write that was kept was sent had been replicated, as replication keeps the order.
    assert all(kept_until < entry.ended and entry.began < killed_at + 0.1 for entry in lost)
    # A read that was sent again does not see what was lost.
    gone = {(entry.key, str(entry.number)) for entry in lost}
    assert [wrong for wrong in journal.wrong if (wrong.key, wrong.command[-1]) not in gone] == []
    return Killing(
        errors=len(errors),
        first_success=first - promoted_at,
        before=journal.worst_latency(others, *quiet),
        during=journal.worst_latency(others, killed_at, until),
        stalled=stalls.worst(killed_at, until),
        lost=len(lost),
        lost_directly=lost_directly,
    )


def test_a_killed_primary_costs_only_what_was_in_flight(own_cluster: EmbeddedCluster, own_proxy: Proxy) -> None:
    killing = kill_under_load(own_cluster, own_proxy, 0)
    assert killing.during < LOOSE
    assert killing.first_success < 2 * LOOSE


@figures.whole_suite
@pytest.mark.parametrize("coverage", ["no", "yes"])
def test_times_of_a_failover(coverage: str) -> None:
    """With ``yes``, Redis's default, every node says CLUSTERDOWN from the failure to the promotion."""
    arguments = ("--cluster-require-full-coverage", coverage)
    killings = []
    with EmbeddedCluster(extra_args=arguments) as cluster, Proxy(["--seed", cluster.seeds]) as proxy:
        for attempt in range(KILLS):
            dead = cluster.primary_of("b")
            killings.append(kill_under_load(cluster, proxy, attempt))
            dead.start()
            cluster.await_healthy()
    soon = statistics.median(killing.first_success for killing in killings)
    promise = f"a primary is killed, full coverage required: {coverage}"
    figures.note(promise, "times", str(KILLS))
    figures.note(promise, "commands of other shards that failed", "0")
    figures.note(promise, "longest wait in other shards, before", _ms(max(k.before for k in killings)))
    figures.note(promise, "longest wait in other shards, until service is back", _ms(max(k.during for k in killings)))
    figures.note(promise, "commands that failed, each in flight at a kill", str(sum(k.errors for k in killings)))
    figures.note(promise, "first success after the promotion, median", _ms(soon))
    figures.note(promise, "first success after the promotion, longest", _ms(max(k.first_success for k in killings)))
    figures.note(promise, "acknowledged writes that replication lost", str(sum(k.lost for k in killings)))
    lost_directly = sum(killing.lost_directly for killing in killings)
    figures.note(promise, "the same of one client that talks to Redis directly", str(lost_directly))
    assert soon < SOON
    assert all(killing.first_success < SOON + 2 * killing.stalled for killing in killings)
    if coverage == "no":
        assert all(killing.during < UNDISTURBED + 2 * killing.stalled for killing in killings)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


@figures.whole_suite
@pytest.mark.parametrize("policy", ["any", "prefer_replica"])
def test_reads_of_replicas_go_on_without_a_gap(own_cluster: EmbeddedCluster, policy: str) -> None:
    primary, replica = own_cluster.shard_of("b")
    flags = ["--seed", own_cluster.seeds, "--read-policy", policy]
    with Proxy(flags) as proxy, proxy.client() as client, Stalls() as stalls:
        assert client.command("SET", "b", "1") == b"+OK\r\n"
        await_true(lambda: replica.call("DBSIZE") == 1)
        promotion = Promotion(replica)
        for _ in range(20):
            assert client.command("GET", "b") == b"$1\r\n1\r\n"
        primary.kill()
        worst = 0.0
        killed_at = time.monotonic()
        while not promotion.at:
            began = time.monotonic()
            assert client.command("GET", "b") == b"$1\r\n1\r\n"
            worst = max(worst, time.monotonic() - began)
        stalled = stalls.worst(killed_at, time.monotonic())
    assert worst < UNDISTURBED + 2 * stalled
    figures.note("a primary is killed", f"longest wait of a read of its shard, `{policy}`", f"{worst * 1000:.0f} ms")


def test_a_hanging_primary_is_a_timeout_and_no_reply_goes_astray(own_cluster: EmbeddedCluster) -> None:
    """It hangs for less than the node time-out, so that nobody takes its place."""
    clients = clients_of_one_shard_each(own_cluster)
    primary = own_cluster.primary_of("b")
    by_primary = keys_by_primary(own_cluster, [key for keys in clients for key in keys])
    mine, others = of_shard(clients, set(by_primary[primary.port]))
    config = config_of(own_cluster.seeds, settings={"op_timeout": f"{HANG_TIMEOUT}s"})
    with Proxy(config=config) as proxy, Stalls() as stalls, Load(proxy.port, clients, add_and_look) as load:
        load.go_on(0.5)
        primary.stop_process()
        hung = load.go_on(0.2)
        waits = wait_one_by_one(proxy, mine[0])
        primary.cont()
        back_at = time.monotonic()
        back = await_true(lambda: load.journal.first_success(mine, back_at), 20) - back_at
        end = load.go_on(0.5)[1]
        timeouts = proxy.metrics().total("rproxy_upstream_failures_total", cluster="main", failure="timeout")
        failures = proxy.metrics().total("rproxy_upstream_failures_total", cluster="main")
    journal = load.journal
    errors, stalled = journal.errors(mine), 2 * stalls.worst(hung[0], end)
    # What came late was dropped: every reply that was given is that of its own command.
    assert (journal.broken, journal.wrong, journal.errors(others)) == ([], [], [])
    assert errors
    assert all("gave no answer in time" in error.error and error.began < back_at for error in errors)
    # Each at its own deadline, whenever it was sent; none fell with another.
    longest = max([*waits, *(error.latency for error in errors)])
    assert min([*waits, *(error.latency for error in errors)]) > HANG_TIMEOUT - 0.05
    assert longest < HANG_TIMEOUT + UNDISTURBED + stalled + LOOSE / 2
    assert timeouts == failures == len(errors) + len(waits)
    assert not [error for error in errors if error.ended > back_at + HANG_TIMEOUT + LOOSE]
    found = members_of(own_cluster, mine)
    for entry in journal.entries:
        if entry.key in found and entry.command == "SADD" and not entry.error:
            assert entry.number in found[entry.key]
    worst = journal.worst_latency(others, *hung)
    assert worst < LOOSE
    assert back < UNDISTURBED + stalled + LOOSE / 2
    assert primary.role == "primary"
    figures.note("a primary hangs", "commands of other shards that failed", "0")
    figures.note("a primary hangs", "longest wait in other shards", _ms(worst))
    figures.note("a primary hangs", "replies to the wrong command", "0")
    figures.note("a primary hangs", f"longest wait for its error, `op_timeout` {HANG_TIMEOUT} s", _ms(longest))
    figures.note("a primary hangs", "first success after it goes on", _ms(back))


def test_who_takes_the_place_of_a_hanging_primary_is_found_at_once(own_cluster: EmbeddedCluster) -> None:
    """While its connections stay open, and long before the topology is read by itself."""
    clients = clients_of_one_shard_each(own_cluster)
    primary, replica = own_cluster.shard_of("b")
    by_primary = keys_by_primary(own_cluster, [key for keys in clients for key in keys])
    mine, others = of_shard(clients, set(by_primary[primary.port]))
    settings, cluster = {"op_timeout": f"{HANG_TIMEOUT}s"}, {"cluster_refresh_rate": "60s"}
    config = config_of(own_cluster.seeds, settings=settings, cluster=cluster)
    with Proxy(config=config) as proxy, Stalls() as stalls, Load(proxy.port, clients, add_and_look) as load:
        load.go_on(0.5)
        promotion = Promotion(replica)
        hung_at = time.monotonic()
        primary.stop_process()
        promoted_at = promotion.wait()
        first = await_true(lambda: load.journal.first_success(mine, promoted_at), 20) - promoted_at
        end = load.go_on(2 * HANG_TIMEOUT)[1]
        primary.cont()
        load.go_on(0.5)
    journal, stalled = load.journal, 2 * stalls.worst(hung_at, end)
    assert (journal.broken, journal.wrong, journal.errors(others)) == ([], [], [])
    assert all(any(word in error.error for word in HUNG) for error in journal.errors(mine))
    # Every client waits for what it had sent to the old one.
    assert first < HANG_TIMEOUT + SOON + stalled + LOOSE / 2
    assert not [error for error in journal.errors(mine) if error.began > promoted_at + SOON + stalled + LOOSE / 2]
    figures.note("a primary hangs until it is replaced", "commands of other shards that failed", "0")
    promise = f"first success after the promotion, `op_timeout` {HANG_TIMEOUT} s"
    figures.note("a primary hangs until it is replaced", promise, _ms(first))


def wait_one_by_one(proxy: Proxy, key: str) -> list[float]:
    """How long clients wait for their errors that ask a hanging node one shortly after the other."""
    with ExitStack() as stack:
        asking = []
        for _ in range(4):
            client = stack.enter_context(proxy.client())
            client.send(pack("SCARD", key))
            asking.append((client, time.monotonic()))
            time.sleep(0.05)
        waits = []
        for client, began in asking:
            assert b"gave no answer in time" in client.read_reply()
            waits.append(time.monotonic() - began)
    return waits
