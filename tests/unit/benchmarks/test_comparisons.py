"""The table of comparisons holds together, and each changes one thing."""

import pytest

from benchmarks.backends import MANY_SHARDS, SHARDS
from benchmarks.cases import CASES, IDLE_MEMORY, WORKER_SPREAD
from benchmarks.comparisons import COMPARISONS, TWO_WORKERS, Comparison
from benchmarks.peers import RPROXY, Backend
from rproxy.config.loader import parse
from tests.unit.benchmarks.test_peers import filled


def called(name: str) -> Comparison:
    return next(comparison for comparison in COMPARISONS if comparison.name == name)


def test_names_are_unique() -> None:
    names = [comparison.name for comparison in COMPARISONS]
    assert len({*names, *(case.name for case in CASES), IDLE_MEMORY, WORKER_SPREAD}) == len(names) + len(CASES) + 2


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda comparison: comparison.name)
def test_either_the_proxy_or_the_load_changes(comparison: Comparison) -> None:
    assert (comparison.changed.peer == comparison.plain.peer) != (comparison.changed.case == comparison.plain.case)
    assert all(side.peer.version_says == "compiled" for side in comparison.sides.values())


def test_proxies_are_what_their_side_says() -> None:
    assert parse(filled(TWO_WORKERS), "rproxy.yaml").workers == 2
    without = parse(filled(called("stats-p16").plain.peer), "rproxy.yaml")
    assert not without.listeners[0].redis_proxy.settings.enable_command_stats
    shards = {Backend.HUNDRED_SHARDS: MANY_SHARDS, Backend.THREE_SHARDS: SHARDS}
    assert [shards[side.peer.backend] for side in called("100-shards").sides.values()] == [100, 3]
    assert called("1000-clients").plain.peer == RPROXY


def test_costs_are_compared_for_each_key() -> None:
    assert called("mget-10000").per_key == 0.01
    assert called("1000-clients").per_key == 1
