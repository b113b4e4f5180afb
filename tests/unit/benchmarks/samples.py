"""Results of a run that never was."""

from benchmarks.load import LoadReport
from benchmarks.results import CaseResult, Machine, MemorySample, Results, Sample

MACHINE = Machine("a processor", 2, "Linux 6.1", "3.11.7", "7.0", "7.0.15", "abc1234")


def sample(user: float, system: float, commands: int = 1_000_000) -> Sample:
    """A round of a million commands."""
    return Sample(LoadReport(commands, throughput=100_000.0, p50_ms=0.5, p99_ms=1.25), user, system)


def results() -> Results:
    """rproxy and Envoy measured, one case failed for rproxy, predixy missing."""
    run = Results("2030-01-02T03:04:05+00:00", 3, 3.0, MACHINE, {"rproxy": "1.0 compiled", "envoy": "1.40.0"}, {})
    run.missing = {"predixy": "predixy is not here: build it"}
    run.noise = [CaseResult("get-p16", "redis-benchmark", {"rproxy": [sample(1, 1)], "rproxy again": [sample(1, 1.1)]})]
    run.cases = [
        CaseResult(
            "get-p16",
            "redis-benchmark",
            {"rproxy": [sample(1, 1), sample(2, 1), sample(1, 3)], "envoy": [sample(2, 2), sample(4, 4), sample(3, 2)]},
        ),
        CaseResult("mixed-p4", "pipeline load", {"envoy": [sample(3, 1)]}, {"rproxy": "the proxy closed a connection"}),
    ]
    run.idle_clients = 5000
    run.memory = {"rproxy": [MemorySample(50 * 2**20, 2048.0)], "envoy": [MemorySample(60 * 2**20, 8192.0)]}
    run.comparisons = [
        CaseResult("100-shards", "redis-benchmark", {"changed": [sample(1, 2)], "plain": [sample(1, 1)]}),
        CaseResult(
            "mget-10000",
            "redis-benchmark",
            {"changed": [sample(2, 4, commands=10_000)], "plain": [sample(3, 2)]},
        ),
        CaseResult("two-workers", "", failures={"changed": "rproxy has ended"}),
    ]
    run.spread_clients = 100
    run.worker_spread = [1.04, 1.0, 1.08]
    return run
