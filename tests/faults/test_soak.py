"""Mixed traffic through faults of all kinds, drawn by a seed; every reply is verified and nothing is left over.

``RPROXY_SOAK_SECONDS`` is how long it goes on. ``RPROXY_SOAK_SEED`` repeats a run that printed its seed: the same
faults in the same order, with the same draws; not the same timing, which belongs to the machine.
"""

import os
import random
import sys
import time
from collections.abc import Iterable, Sequence

import psutil
import pytest

from rproxy.demo.embedded import EmbeddedRedis
from rproxy.topology.slots import hash_slot
from tests.support import figures
from tests.support.proxy import Proxy, config_of
from tests.support.relayed_cluster import RelayedCluster
from tests.support.soak_client import PATIENCE
from tests.support.soak_faults import BRIEF, FAULTS, Stage, be_calm, break_something
from tests.support.soak_load import SoakLoad
from tests.support.soak_traffic import KINDS
from tests.support.soak_verdict import READERS, Place, Trouble, verdict
from tests.support.waiting import await_true

SECONDS = float(os.environ.get("RPROXY_SOAK_SECONDS", "600"))
SEED = int(os.environ.get("RPROXY_SOAK_SEED", random.SystemRandom().randrange(10**6)))
WORKERS = 2
CALM = 0.5
"""Seconds between two faults in which nothing may fail."""
MEMORY_MOST = 48 * 1024**2
"""Bytes by which a worker may have grown. Buffers are given back, but not all by the allocator to the system."""
DESCRIPTORS_MOST = 8
"""Connections to nodes beyond those before, of both workers: pools that had to dial while others were busy."""
IDLE = (
    "rproxy_downstream_connections_active",
    "rproxy_upstream_requests_in_flight",
    "rproxy_upstream_requests_parked",
    "rproxy_subscriptions",
)
"""Gauges that are 0 when no client is there."""


def sizes_of(stage: Stage) -> tuple[int, int, float]:
    """Resident bytes and descriptors of rproxy's processes, and the tasks of its workers."""
    first = psutil.Process(stage.pid)
    processes = [first, *first.children()]
    memory = sum(each.memory_info().rss for each in processes)
    return memory, sum(each.num_fds() for each in processes), stage.proxy.metrics().total("rproxy_tasks")


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


def drawn(draw: random.Random, seconds: float) -> Iterable[str]:
    """Kinds of faults for some time, each once before any comes again."""
    until = time.monotonic() + seconds
    kinds: list[str] = []
    while time.monotonic() < until:
        kinds = kinds or draw.sample(sorted(FAULTS), len(FAULTS))
        yield kinds.pop()


def held_by(cluster: RelayedCluster, places: Iterable[Place]) -> dict[Place, list[str]]:
    """The tokens that each place has, as its primary says."""
    found = {}
    for place in places:
        with cluster.primary_of(place.key).connect() as node:
            found[place] = [token.decode() for token in READERS[place.type](node.call, place.key)]
    return found


class Soak:
    """A soak and what is measured of it."""

    def __init__(self, cluster: RelayedCluster, mirror: EmbeddedRedis, proxy: Proxy, seed: int, clients: int) -> None:
        sys.stdout.write(f"RPROXY_SOAK_SEED={seed}\n")
        keys = [[f"soak:{client}:{number}" for number in range(2)] for client in range(clients)]
        draw = random.Random(seed)
        self.cluster = cluster
        self.proxy = proxy
        slots = [hash_slot(key.encode()) for pair in keys for key in pair]
        self.stage = Stage(cluster, mirror, proxy, draw, WORKERS, slots)
        self.load = SoakLoad(proxy.port, keys, draw)
        self.warm_up = SoakLoad(proxy.port, [[f"warm:{key}" for key in pair] for pair in keys], draw, pause=0.0)
        self.troubles: list[Trouble] = []
        self.grown = 0
        self.left: dict[str, float] = {}

    def run(self, kinds: Iterable[str]) -> None:
        """Go through the faults, wait until all is over, and compare with what was there before."""
        with self.warm_up as load:
            await_true(lambda: load.rounds > 2 * len(KINDS) * len(load.clients), PATIENCE)
        assert self._complaints(self.warm_up) == []
        await_idle(self.proxy)
        memory, descriptors, tasks = sizes_of(self.stage)
        with self.load:
            for kind in kinds:
                self.troubles.append(break_something(self.stage, kind))
                self.troubles += be_calm(self.stage, CALM)
        for trouble in self.troubles:
            sys.stdout.write(f"{trouble.began:.3f} to {trouble.ended:.3f}: {trouble.kind}\n")
        await_idle(self.proxy)
        await_true(lambda: sizes_of(self.stage)[1] <= descriptors + DESCRIPTORS_MOST)
        await_true(lambda: sizes_of(self.stage)[2] <= tasks)
        self.grown = sizes_of(self.stage)[0] - memory
        self.left = left_over(self.proxy)

    def check(self) -> None:
        """Everything was right, and nothing is left over."""
        complaints = self._complaints(self.load)
        sys.stdout.write("\n".join([self.proxy.output, *complaints, ""]))  # shown if anything was not
        assert complaints == []
        assert self.left == {}
        assert self.grown < MEMORY_MOST * WORKERS
        assert "Traceback" not in self.proxy.output
        assert self.stage.worker_restarts() == self.stage.killed_workers

    def _complaints(self, load: SoakLoad) -> Sequence[str]:
        for client in load.clients:
            for key in client.writes:
                client.read(key, self.cluster.primary_of(key).call("GET", key), time.monotonic())
        places = {addition.place for addition in load.journal.additions}
        return verdict(load.journal, self.troubles, held_by(self.cluster, places))[:20]

    def note(self) -> None:
        """Keep what the soak measured."""
        journal = self.load.journal
        for kind, count in self.stage.done.items():
            figures.note("a soak", f"times that this happened: {kind}", str(count))
        figures.note("a soak", "seconds", f"{SECONDS:.0f}")
        figures.note("a soak", "commands meanwhile", str(journal.commands))
        figures.note("a soak", "commands that failed, all while something was broken", str(len(journal.failed)))
        figures.note("a soak", "messages to subscribers", str(sum(len(each.heard) for each in journal.sessions)))
        figures.note("a soak", "tokens added, each found once", str(len(journal.additions)))
        figures.note(
            "a soak", "reads of a key whose last write was lost, or is of unknown outcome", str(len(journal.odd))
        )
        figures.note("a soak", "requests, clients, subscriptions and pins left over", f"{sum(self.left.values()):g}")
        figures.note("a soak", "seed", str(SEED))
        figures.note("a soak", "memory left over", f"{max(self.grown, 0) / 2**20:.0f} MiB")


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> Iterable[Soak]:
    """A soak before a cluster of its own: its seed, its clients, ``cluster-node-timeout``, and ``op_timeout``."""
    seed, clients, node_timeout_ms, op_timeout = request.param
    full_coverage = ("--cluster-require-full-coverage", "no")
    with (
        RelayedCluster(node_timeout_ms=node_timeout_ms, extra_args=full_coverage) as cluster,
        EmbeddedRedis() as mirror,
    ):
        config = config_of(
            cluster.seeds,
            settings={"op_timeout": op_timeout},
            mirrors=[{"cluster": "mirror"}],
            mirror_address=mirror.address,
        )
        with Proxy(config={**config, "workers": WORKERS, "watch_config": False}) as proxy:
            soak = Soak(cluster, mirror, proxy, seed, clients)
            try:
                yield soak
            finally:
                soak.stage.restarting.end()


@pytest.mark.parametrize("soak", [(1, 6, 60_000, "30s")], indirect=True)
def test_a_few_faults_cost_what_they_explain(soak: Soak) -> None:
    """A part that is the same in every run, with time-outs that no busy machine reaches."""
    soak.run(BRIEF)
    soak.check()


@figures.whole_suite
@pytest.mark.parametrize("soak", [(SEED, 16, 2000, "5s")], indirect=True)
def test_nothing_is_lost_or_left_over(soak: Soak) -> None:
    soak.run(drawn(soak.stage.draw, SECONDS))
    soak.check()
    soak.note()
