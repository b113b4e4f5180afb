"""A run: which peers are there, the noise floor, then case by case, in each round one peer after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from benchmarks import idle_memory, micro, worker_spread
from benchmarks.backends import Backends
from benchmarks.cases import IDLE_MEMORY, Case
from benchmarks.comparisons import Comparison
from benchmarks.load import Load, LoadError, load_of
from benchmarks.machine import this_machine
from benchmarks.one_client_load import OneClientLoad
from benchmarks.peer_process import PeerProcess
from benchmarks.peers import Peer
from benchmarks.pipeline_load import PipelineLoad
from benchmarks.redis_benchmark import RedisBenchmark
from benchmarks.results import CaseResult, Results, Sample
from rproxy.errors import StartError

AGAIN = " again"
"""Follows the name of the noise floor's second process."""
_WARM_UP_BATCHES = 20
_WARM_UP_LEAST = 5000
_WARM_UP_KEYS = 500_000

Tell = Callable[[str], None]
"""Shows one line of progress."""


@dataclass(frozen=True)
class Plan:
    """What to measure: each round of each peer lasts about ``seconds``. What is 0, empty or false is not measured."""

    cases: Sequence[Case]
    noise_cases: Sequence[Case]
    peers: Sequence[Peer]
    rounds: int
    seconds: float
    idle_clients: int
    comparisons: Sequence[Comparison] = ()
    spread_clients: int = 0
    has_micro: bool = False


class Contestant(NamedTuple):
    """A running proxy and what it is loaded with."""

    process: PeerProcess
    case: Case


def run(plan: Plan, tell: Tell) -> Results:
    """Measure everything planned. What cannot be is named in the results. Raises ``StartError`` without Redis."""
    missing = {peer.name: why for peer in plan.peers if (why := peer.why_missing())}
    present = [peer for peer in plan.peers if peer.name not in missing]
    results = Results(
        taken=datetime.now(UTC).isoformat(timespec="seconds"),
        rounds=plan.rounds,
        seconds=plan.seconds,
        machine=this_machine(),
        versions={peer.name: peer.version() or "unknown" for peer in present},
        missing=missing,
    )
    _tell_conditions(plan, missing, tell)
    with Backends() as backends:
        _measure_cases(plan, present, backends, results, tell)
        for comparison in plan.comparisons:
            results.comparisons.append(_compare(comparison, plan, backends, tell))
        if plan.idle_clients:
            _measure_memory(plan, present, backends, results, tell)
        if plan.spread_clients:
            _measure_spread(plan, backends, results, tell)
    if plan.has_micro:
        tell("micro benchmarks")
        results.micro = micro.both_forms()
    return results


def _tell_conditions(plan: Plan, missing: Mapping[str, str], tell: Tell) -> None:
    for why in missing.values():
        tell(f"missing: {why}")
    if RedisBenchmark().version() is None:
        tell("redis-benchmark is not on PATH: the harness's own load runs every case instead (see docs/performance.md)")
    compared = [side.case for comparison in plan.comparisons for side in comparison.sides.values()]
    clients = max([plan.idle_clients, *(case.clients for case in (*plan.cases, *compared))])
    if why_not := idle_memory.raise_file_limit(clients):
        tell(why_not)


def _measure_cases(plan: Plan, present: Sequence[Peer], backends: Backends, results: Results, tell: Tell) -> None:
    if not (plan.cases or plan.noise_cases):
        return
    with ExitStack() as stack:
        processes: dict[str, PeerProcess] = {}
        for peer in present:
            try:
                nodes = backends.nodes(peer.backend)
                processes[peer.name] = stack.enter_context(PeerProcess(peer, nodes))
            except StartError as error:
                results.missing[peer.name] = str(error)
                tell(f"missing: {error}")
        if processes and plan.noise_cases:
            results.noise = _measure_noise(plan, next(iter(processes.values())), backends, tell)
        for case in plan.cases:
            taking_part = {name: process for name, process in processes.items() if process.peer.runs(case.name)}
            results.cases.append(_measure(case.name, _under(case, taking_part), plan, tell))


def _measure_noise(plan: Plan, process: PeerProcess, backends: Backends, tell: Tell) -> list[CaseResult]:
    """Two processes of one proxy under the noise cases."""
    peer = process.peer
    with PeerProcess(peer, backends.nodes(peer.backend)) as again:
        pair = {peer.name: process, peer.name + AGAIN: again}
        cases = [case for case in plan.noise_cases if peer.runs(case.name)]
        return [_measure(case.name, _under(case, pair), plan, tell) for case in cases]


def _compare(comparison: Comparison, plan: Plan, backends: Backends, tell: Tell) -> CaseResult:
    """Both sides of a comparison, each peer in a process of its own."""
    processes: dict[str, PeerProcess] = {}
    contestants: dict[str, Contestant] = {}
    with ExitStack() as stack:
        for label, side in comparison.sides.items():
            peer = side.peer
            try:
                if why := peer.why_missing():
                    raise StartError(why)
                if peer.name not in processes:
                    nodes = backends.nodes(peer.backend)
                    processes[peer.name] = stack.enter_context(PeerProcess(peer, nodes))
            except StartError as error:
                tell(f"{comparison.name}: {peer.name} failed: {error}")
                return CaseResult(comparison.name, "", failures={label: str(error)})
            contestants[label] = Contestant(processes[peer.name], side.case)
        return _measure(comparison.name, contestants, plan, tell)


def _under(case: Case, processes: Mapping[str, PeerProcess]) -> dict[str, Contestant]:
    return {name: Contestant(process, case) for name, process in processes.items()}


def _measure(title: str, contestants: Mapping[str, Contestant], plan: Plan, tell: Tell) -> CaseResult:
    """A warm-up of each contestant, which also tells how many commands last long enough, then the rounds."""
    result = CaseResult(title, "")
    commands: dict[str, int] = {}

    def attempt(name: str, count: int) -> Sample | None:
        process, case = contestants[name]
        load = load_of(case, (OneClientLoad(), RedisBenchmark(), PipelineLoad()))
        result.load = load.name
        try:
            return sample(load, case, process, count)
        except (LoadError, StartError) as error:
            result.failures[name] = str(error)
            result.samples.pop(name, None)
            tell(f"{title}: {name} failed: {error}")
            return None

    for name, contestant in contestants.items():
        if warm_up := attempt(name, _warm_up_commands(contestant.case)):
            commands[name] = max(int(warm_up.load.throughput * plan.seconds), 1)
    for number in range(plan.rounds):
        for name in _turned(list(commands), number):
            if name not in result.failures and (taken := attempt(name, commands[name])):
                result.samples.setdefault(name, []).append(taken)
                tell(_progress(title, number, plan.rounds, name, taken))
    return result


def _warm_up_commands(case: Case) -> int:
    commands = max(_WARM_UP_LEAST, _WARM_UP_BATCHES * case.clients * case.pipeline)
    return max(min(commands, _WARM_UP_KEYS // case.keys), case.clients)


def sample(load: Load, case: Case, process: PeerProcess, commands: int) -> Sample:
    """One run of the load against one process, with the processor time it cost there."""
    user, system = process.processor_time()
    report = load.run(case, process.port, commands)
    user_after, system_after = process.processor_time()
    return Sample(report, user_after - user, system_after - system)


def _turned(names: list[str], number: int) -> list[str]:
    """Another peer goes first in each round, so that none always follows the same one."""
    first = number % len(names) if names else 0
    return names[first:] + names[:first]


def _progress(title: str, number: int, rounds: int, name: str, taken: Sample) -> str:
    return (
        f"{title} {number + 1}/{rounds} {name}: {taken.processor_us:.2f} µs per command,"
        f" {taken.load.throughput:,.0f} commands/s, p99 {taken.load.p99_ms:.2f} ms"
    )


def _measure_memory(plan: Plan, present: Sequence[Peer], backends: Backends, results: Results, tell: Tell) -> None:
    results.idle_clients = plan.idle_clients
    for number in range(plan.rounds):
        for peer in present:
            if peer.name in results.missing or not peer.runs(IDLE_MEMORY):
                continue
            try:
                taken = idle_memory.measure(peer, backends, plan.idle_clients)
            except (LoadError, StartError, OSError) as error:
                tell(f"idle memory: {peer.name} failed: {error}")
                continue
            results.memory.setdefault(peer.name, []).append(taken)
            tell(
                f"idle memory {number + 1}/{plan.rounds} {peer.name}: {taken.per_client / 1024:.2f} KiB per client,"
                f" {taken.at_rest / 2**20:.0f} MiB at rest"
            )


def _measure_spread(plan: Plan, backends: Backends, results: Results, tell: Tell) -> None:
    results.spread_clients = plan.spread_clients
    for number in range(plan.rounds):
        try:
            share = worker_spread.measure(backends, plan.spread_clients)
        except (LoadError, StartError, OSError) as error:
            tell(f"worker spread: failed: {error}")
            continue
        results.worker_spread.append(share)
        tell(f"worker spread {number + 1}/{plan.rounds}: the fuller worker has {share:.2f} times its fair share")
