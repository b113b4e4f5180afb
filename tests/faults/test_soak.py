"""Mixed traffic through faults of all kinds, drawn by a seed; every reply is verified and nothing is left over.

``RPROXY_SOAK_SECONDS`` is how long it goes on, ``RPROXY_SOAK_SEED`` repeats the faults of a run that printed its seed.
"""

import os
import random
import sys
import time
from dataclasses import dataclass

import psutil

from rproxy.demo.embedded import EmbeddedCluster
from tests.support import figures
from tests.support.load import Journal, Load, Wrong
from tests.support.proxy import Proxy, config_of
from tests.support.soak_faults import FAULTS, LOSSY, Stage, break_something
from tests.support.soak_traffic import added, counter_of, is_old, is_unwatched, mixed
from tests.support.waiting import await_true

SECONDS = float(os.environ.get("RPROXY_SOAK_SECONDS", "600"))
SEED = int(os.environ.get("RPROXY_SOAK_SEED", random.SystemRandom().randrange(10**6)))
WORKERS = 2
KEYS = [[f"soak:{client}:{number}" for number in range(2)] for client in range(16)]
WARM_UP = [[f"warm:{key}" for key in keys] for keys in KEYS]
MEMORY_MOST = 48 * 1024**2
"""Bytes by which the processes may have grown: buffers of big values that the allocator keeps."""
DESCRIPTORS_MOST = 8
SETTLED = 1.0
"""Seconds after a fault in which rproxy may still be finding out that the cluster is whole."""
IDLE = (
    "rproxy_downstream_connections_active",
    "rproxy_upstream_requests_in_flight",
    "rproxy_upstream_requests_parked",
    "rproxy_subscriptions",
)
"""Gauges that are 0 when no client is there."""


@dataclass
class Trouble:
    """A span of time in which something was broken, and what."""

    kind: str
    began: float
    ended: float


def sizes_of(proxy: Proxy) -> tuple[int, int, float]:
    """Resident bytes and descriptors of a proxy's processes, and the tasks of its workers."""
    first = psutil.Process(proxy.pid)
    processes = [first, *first.children()]
    memory = sum(each.memory_info().rss for each in processes)
    return memory, sum(each.num_fds() for each in processes), proxy.metrics().total("rproxy_tasks")


def left_over(proxy: Proxy) -> dict[str, float]:
    """What is under way or belongs to a client, by the gauge that says so."""
    metrics = proxy.metrics()
    gauges = {name: metrics.total(name) for name in IDLE}
    gauges["pinned"] = metrics.total("rproxy_upstream_pinned_connections", state="in_use")
    return {name: value for name, value in gauges.items() if value}


def await_idle(proxy: Proxy) -> None:
    """Wait until nothing is left over. Raises ``AssertionError`` that says what is."""
    try:
        await_true(lambda: not left_over(proxy))
    except AssertionError:
        assert left_over(proxy) == {}


def go_through_faults(stage: Stage, load: Load) -> list[Trouble]:
    """One fault after the other, each kind once before any comes again, with a pause in which nothing may fail."""
    troubles = []
    until = time.monotonic() + SECONDS
    kinds: list[str] = []
    while time.monotonic() < until:
        kinds = kinds or list(FAULTS)
        began = time.monotonic()
        kind = break_something(stage, kinds)
        kinds.remove(kind)
        troubles.append(Trouble(kind, began, load.go_on(SETTLED)[1]))
        load.go_on(0.5)
    return troubles


def assert_replies_are_right(journal: Journal, troubles: list[Trouble]) -> None:
    """No error but in trouble; no reply of anybody else; an old value only after a fault that may lose writes."""
    lossy = [trouble for trouble in troubles if trouble.kind in LOSSY]

    def is_explained(wrong: Wrong) -> bool:
        if is_unwatched(wrong):
            return any(trouble.began <= wrong.at <= trouble.ended for trouble in troubles)
        return is_old(wrong) and any(trouble.began <= wrong.at for trouble in lossy)

    assert [wrong for wrong in journal.wrong if not is_explained(wrong)] == []
    outside = [
        entry
        for entry in journal.errors()
        if not any(trouble.began <= entry.ended and entry.began <= trouble.ended for trouble in troubles)
    ]
    assert outside == []
    kills = sum(trouble.kind == "a worker is killed" for trouble in troubles)
    assert len(journal.broken) <= kills * len(KEYS)


def lost_by_the_client_of(key: str, journal: Journal) -> int:
    """How often the client that uses ``key`` lost its connection, each time with one round of commands under way."""
    first = next(keys[0] for keys in KEYS if key in keys)
    return sum(line.startswith(f"{first}: ") for line in journal.broken)


def assert_executed_once(cluster: EmbeddedCluster, journal: Journal, troubles: list[Trouble]) -> int:
    """What each client's counter and key hold is what was acknowledged, and nothing that was executed twice.

    How many additions are there beyond those that were answered: of rounds whose connection was lost.
    """
    is_lossy = any(trouble.kind in LOSSY for trouble in troubles)
    unanswered = 0
    for key, (sure, maybe) in added(journal.entries).items():
        found = int(cluster.primary_of(key + ":n").call("GET", counter_of(key)) or 0)
        assert found <= sure + maybe + lost_by_the_client_of(key, journal)
        unanswered += max(found - sure - maybe, 0)
        assert found >= sure or is_lossy
    for key, (number, _) in journal.acknowledged.items():
        name, _, held = cluster.primary_of(key).call("GET", key).decode().partition("=")
        assert name == key
        assert int(held) >= number
    return unanswered


@figures.whole_suite
def test_nothing_is_lost_or_left_over(own_cluster: EmbeddedCluster) -> None:
    sys.stdout.write(f"RPROXY_SOAK_SEED={SEED}\n")
    config = {**config_of(own_cluster.seeds), "workers": WORKERS, "watch_config": False}
    with Proxy(config=config) as proxy:
        with Load(proxy.port, WARM_UP, mixed) as warm_up:
            warm_up.go_on(2.0)
        assert warm_up.journal.errors() == []
        await_idle(proxy)
        memory, descriptors, tasks = sizes_of(proxy)
        stage = Stage(own_cluster, proxy, random.Random(SEED), WORKERS)
        with Load(proxy.port, KEYS, mixed, pause=0.01, returns=True) as load:
            troubles = go_through_faults(stage, load)
            last = load.go_on(0.5)[1]
            await_true(lambda: all(at > last for _, at in list(load.journal.acknowledged.values())), 60)
        sys.stdout.write(f"{[trouble.kind for trouble in troubles]}\n")
        await_idle(proxy)
        await_true(lambda: sizes_of(proxy)[1] <= descriptors + DESCRIPTORS_MOST)
        await_true(lambda: sizes_of(proxy)[2] <= tasks + WORKERS)
        grown = sizes_of(proxy)[0] - memory
        left = left_over(proxy)
        assert "Traceback" not in proxy.output
    assert_replies_are_right(load.journal, troubles)
    unanswered = assert_executed_once(own_cluster, load.journal, troubles)
    assert left == {}
    assert grown < MEMORY_MOST * WORKERS
    note(load.journal, stage, grown, unanswered, left)


def note(journal: Journal, stage: Stage, grown: int, unanswered: int, left: dict[str, float]) -> None:
    """Keep what the soak measured."""
    for kind, count in stage.done.items():
        figures.note("a soak", f"times that this happened: {kind}", str(count))
    figures.note("a soak", "seconds", f"{SECONDS:.0f}")
    figures.note("a soak", "commands meanwhile", str(len(journal.entries)))
    figures.note("a soak", "commands that failed, all while something was broken", str(len(journal.errors())))
    figures.note("a soak", "additions found beyond those answered, of connections that were lost", str(unanswered))
    figures.note("a soak", "reads of a write that the promoted replica never had", str(len(journal.wrong)))
    figures.note("a soak", "requests, clients, subscriptions and pins left over", f"{sum(left.values()):g}")
    figures.note("a soak", "seed", str(SEED))
    figures.note("a soak", "memory left over", f"{max(grown, 0) / 2**20:.0f} MiB")
