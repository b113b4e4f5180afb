"""Mirrors that are down, slow, hanging, full or talk nonsense: clients see nothing, and what is dropped is counted."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis
from tests.support import figures
from tests.support.background import Background
from tests.support.fake_node import FakeNode
from tests.support.load import Load
from tests.support.proxy import Proxy, config_of
from tests.support.relay import Relay
from tests.support.stalls import Stalls
from tests.support.waiting import await_true

CLIENTS = [[f"key:{client}:{number}" for number in range(4)] for client in range(16)]
KEYS = [key for keys in CLIENTS for key in keys]
QUEUE = 200
"""Unanswered copies that a mirror may have here: few, so that one that does not answer is full at once."""
DELAY = 0.1
UNDISTURBED = 1.0
"""Seconds that no command may take: far above what a loaded machine adds, far below any time-out."""
SLOWER = 0.005
"""Seconds by which a bad mirror may delay most commands, besides what the machine does."""


class NonsenseNode(Background):
    """A mirror that answers everything with what is no RESP."""

    def __init__(self) -> None:
        super().__init__()
        self.node = FakeNode(dict.fromkeys(("SET", "GET"), b"$x\r\nHTTP/1.1 400 Bad Request\r\n\r\n"))

    @property
    def address(self) -> str:
        return str(self.node.endpoint)

    async def on_start(self) -> None:
        await self.node.start()

    async def on_stop(self) -> None:
        await self.node.stop()


@dataclass
class BadMirror:
    """A mirror, and how it is broken when all is well so far; what it has been asked, where that can be told."""

    address: str
    spoil: Callable[[], None]
    mend: Callable[[], None] = lambda: None


def down(stack: ExitStack) -> BadMirror:
    redis = stack.enter_context(EmbeddedRedis())
    return BadMirror(redis.address, redis.node.kill, redis.node.start)


def hanging(stack: ExitStack) -> BadMirror:
    redis = stack.enter_context(EmbeddedRedis())
    return BadMirror(redis.address, redis.node.stop_process, redis.node.cont)


def slow(stack: ExitStack) -> BadMirror:
    redis = stack.enter_context(EmbeddedRedis())
    relay = stack.enter_context(Relay(redis.port))
    return BadMirror(
        f"127.0.0.1:{relay.port}",
        lambda: setattr(relay.faults, "delay", DELAY),
        lambda: setattr(relay.faults, "delay", 0.0),
    )


def full(stack: ExitStack) -> BadMirror:
    """It answers every write with ``-OOM``."""
    redis = stack.enter_context(EmbeddedRedis(["--maxmemory-policy", "noeviction"]))
    return BadMirror(
        redis.address,
        lambda: redis.call("CONFIG", "SET", "maxmemory", "1"),
        lambda: redis.call("CONFIG", "SET", "maxmemory", "0"),
    )


def nonsense(stack: ExitStack) -> BadMirror:
    return BadMirror(stack.enter_context(NonsenseNode()).address, lambda: None)


KINDS: dict[str, Callable[[ExitStack], BadMirror]] = {
    "is down": down,
    "hangs": hanging,
    "is slow": slow,
    "is full": full,
    "talks nonsense": nonsense,
}


def mirrored(seeds: str, mirrors: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A configuration whose route has all these mirrors: further keys of each by its name."""
    config = config_of(seeds, mirrors=[{"cluster": name} for name in mirrors], settings={"op_timeout": "1s"})
    config["clusters"] += [{"name": name, "mirror_queue_limit": QUEUE, **keys} for name, keys in mirrors.items()]
    return config


@contextmanager
def standalone_mirrors(cluster: EmbeddedCluster, kinds: list[str]) -> Iterator[tuple[Proxy, dict[str, BadMirror]]]:
    with ExitStack() as stack:
        bad = {kind.replace(" ", "_"): KINDS[kind](stack) for kind in kinds}
        keys = {name: {"type": "standalone", "endpoints": [mirror.address]} for name, mirror in bad.items()}
        yield stack.enter_context(Proxy(config=mirrored(cluster.seeds, keys))), bad


@dataclass(frozen=True)
class Copies:
    """What became of the commands that a mirror was to get, as the metrics tell it."""

    sent: int
    dropped: int
    answered: int
    refused: int
    """Those among the answered that the mirror answered with an error, or not in time."""
    failed: int
    """Those that were sent and had no answer: lost with their connection, or overdue."""
    overdue: int
    """Those among the failed that are counted among the answered too."""
    in_flight: int

    @classmethod
    def of(cls, proxy: Proxy, mirror: str) -> "Copies":
        scrape = proxy.metrics()

        def total(name: str, **labels: str) -> int:
            return int(scrape.total(f"rproxy_{name}", cluster=mirror, **labels))

        return cls(
            sent=total("mirror_sent_total"),
            dropped=total("mirror_dropped_total"),
            answered=total("commands_total"),
            refused=total("commands_total", result="error"),
            failed=total("upstream_failures_total"),
            overdue=sum(total("upstream_failures_total", failure=label) for label in ("timeout", "unreachable")),
            in_flight=total("upstream_requests_in_flight"),
        )

    @property
    def lost(self) -> int:
        """Those that had no answer and are not counted among the answered."""
        return self.failed - self.overdue

    @property
    def is_each_accounted_for(self) -> bool:
        """Whether of each copy that was sent it is known how it ended."""
        return self.in_flight == 0 and self.sent == self.answered + self.lost


def assert_clients_saw_nothing(load: Load) -> None:
    journal = load.journal
    assert journal.broken == []
    assert journal.errors() == []
    assert journal.wrong == []


def test_whatever_mirrors_do_clients_see_nothing_and_every_copy_is_counted(cluster: EmbeddedCluster) -> None:
    """All of them at once: each command of a client is copied to each of them, or counted as dropped."""
    with standalone_mirrors(cluster, list(KINDS)) as (proxy, bad):
        with Load(proxy.port, CLIENTS) as load:
            load.go_on(0.3)
            for mirror in bad.values():
                mirror.spoil()
            spoilt = load.go_on(1.5)
            for mirror in bad.values():
                mirror.mend()
        await_true(lambda: all(Copies.of(proxy, name).is_each_accounted_for for name in bad))
        copies = {name: Copies.of(proxy, name) for name in bad}
    assert_clients_saw_nothing(load)
    assert load.journal.worst_latency(KEYS, *spoilt) < UNDISTURBED
    assert {of.sent + of.dropped for of in copies.values()} == {len(load.journal.entries)}
    for name in ("is_down", "hangs", "is_slow"):
        assert copies[name].dropped > 0, name
        assert copies[name].answered > 0, name
    assert copies["is_full"].dropped == 0  # it answers each, though it refuses the writes
    assert copies["is_full"].refused > 0
    assert copies["talks_nonsense"].failed > 0
    assert copies["talks_nonsense"].answered == 0


@figures.whole_suite
@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_mirror_is_not_felt(cluster: EmbeddedCluster, kind: str) -> None:
    with standalone_mirrors(cluster, [kind]) as (proxy, bad), Stalls() as stalls:
        (name, mirror), *_ = bad.items()
        with Load(proxy.port, CLIENTS) as load:
            load.go_on(0.5)
            quiet = load.go_on(3.0)
            mirror.spoil()
            spoilt = load.go_on(5.0)
            mirror.mend()
            taken = Copies.of(proxy, name).sent
            await_true(lambda: Copies.of(proxy, name).sent > taken + 10 * QUEUE)  # it is used again
        await_true(lambda: Copies.of(proxy, name).is_each_accounted_for)
        copies = Copies.of(proxy, name)
    assert_clients_saw_nothing(load)
    journal = load.journal
    before, during = journal.latency(KEYS, *quiet), journal.latency(KEYS, *spoilt)
    worst = journal.worst_latency(KEYS, *spoilt)
    assert during < 2 * before + SLOWER
    assert worst < 0.1 + 2 * stalls.worst(*spoilt)
    assert copies.sent + copies.dropped == len(journal.entries)
    promise = f"a mirror {kind}"
    figures.note(promise, "commands of clients that failed", str(len(journal.errors())))
    figures.note(promise, "p99 of clients, before", f"{before * 1000:.1f} ms")
    figures.note(promise, "p99 of clients, meanwhile", f"{during * 1000:.1f} ms")
    figures.note(promise, "commands of clients", str(len(journal.entries)))
    figures.note(promise, "copies sent", str(copies.sent))
    figures.note(promise, "copies sent, of them refused, lost or overdue", str(copies.refused + copies.lost))
    figures.note(promise, "copies dropped", str(copies.dropped))


@figures.whole_suite
def test_a_mirror_cluster_that_loses_a_shard_is_not_felt(cluster: EmbeddedCluster) -> None:
    arguments = ("--cluster-require-full-coverage", "no")
    with EmbeddedCluster(replicas=0, extra_args=arguments) as copy, Stalls() as stalls:
        keys = {"copy": {"type": "redis_cluster", "endpoints": copy.seeds.split(",")}}
        with Proxy(config=mirrored(cluster.seeds, keys)) as proxy:
            with Load(proxy.port, CLIENTS) as load:
                load.go_on(0.5)
                lost = copy.primary_of(KEYS[0])
                lost.kill()
                spoilt = load.go_on(3.0)
                lost.start()
                copy.await_healthy()
                await_true(lambda: lost.call("EXISTS", KEYS[0]))  # it gets copies again
            await_true(lambda: Copies.of(proxy, "copy").is_each_accounted_for)
            copies = Copies.of(proxy, "copy")
            served = [key for key in KEYS if copy.primary_of(key) is not lost]
            last = {key: number for key, (number, _) in load.journal.acknowledged.items()}
            assert {key: int(copy.primary_of(key).call("GET", key)) for key in served} == {
                key: last[key] for key in served
            }
    assert_clients_saw_nothing(load)
    assert load.journal.worst_latency(KEYS, *spoilt) < 0.1 + 2 * stalls.worst(*spoilt)
    assert copies.sent + copies.dropped == len(load.journal.entries)
    assert copies.dropped > 0
    figures.note("a shard of a mirror is down", "commands of clients that failed", str(len(load.journal.errors())))
    figures.note("a shard of a mirror is down", "copies sent", str(copies.sent))
    figures.note("a shard of a mirror is down", "copies dropped", str(copies.dropped))
    figures.note("a shard of a mirror is down", "copies for other shards that are missing there", "0")
