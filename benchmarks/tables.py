"""The figures of a run as Markdown tables. Every figure is a median; brackets hold the least and the greatest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from statistics import median

from benchmarks.bars import BARS, verdict
from benchmarks.cases import CASES, Case
from benchmarks.comparisons import COMPARISONS
from benchmarks.peers import PEERS, REFERENCE
from benchmarks.results import CaseResult, Results, Spread
from benchmarks.rounds import AGAIN

CASE_OF = {case.name: case for case in CASES}
NOTHING = "-"
TITLES = {peer.name: peer.title for peer in PEERS}
_COMPARED = {comparison.name: comparison.title for comparison in COMPARISONS}


def peers_of(results: Results) -> list[str]:
    """The names of the peers that were measured, in the order of the table of peers."""
    return [name for name in TITLES if name in results.versions and name not in results.missing]


def processor_table(results: Results) -> str:
    """Microseconds of processor time of the proxy per command."""
    peers = peers_of(results)
    rows = [
        (_title(result), *(_spread(result.spread(peer, lambda sample: sample.processor_us), 2) for peer in peers))
        for result in results.cases
    ]
    return _table(("µs per command", *(TITLES[peer] for peer in peers)), rows)


def ratio_table(results: Results) -> str:
    """Processor time per command to the reference's, with the goals."""
    return _ratio_table(results, results.cases)


def summary_table(results: Results) -> str:
    """The ratio table's rows that have a goal."""
    return _ratio_table(results, [result for result in results.cases if _goals(result, TITLES)])


def _ratio_table(results: Results, cases: Sequence[CaseResult]) -> str:
    peers = peers_of(results)
    if REFERENCE not in peers:
        return f"{TITLES[REFERENCE]} was not measured: no ratios."
    others = [peer for peer in peers if peer != REFERENCE]
    rows = [
        (_title(result), *(_spread(result.ratio(peer, REFERENCE), 2) for peer in others), _goals(result, others))
        for result in cases
    ]
    return _table((f"÷ {TITLES[REFERENCE]}", *(TITLES[peer] for peer in others), "goal"), rows)


def clients_table(results: Results) -> str:
    """What the clients saw, and where the processor time went."""
    rows = []
    for result in results.cases:
        for peer in result.samples:
            figures = (
                (result.spread(peer, lambda sample: sample.load.throughput), 0),
                (result.spread(peer, lambda sample: sample.load.p50_ms), 2),
                (result.spread(peer, lambda sample: sample.load.p99_ms), 2),
                (result.spread(peer, lambda sample: sample.user_us), 2),
                (result.spread(peer, lambda sample: sample.system_us), 2),
            )
            rows.append((_title(result), TITLES[peer], *(_median(spread, digits) for spread, digits in figures)))
    heading = ("case", "proxy", "commands/s", "p50 ms", "p99 ms", "user µs", "kernel µs")
    return _table(heading, rows)


def memory_table(results: Results) -> str:
    """Resident memory at rest and per idle client. Empty where it was not measured."""
    rows = []
    for peer, samples in results.memory.items():
        at_rest = median(sample.at_rest for sample in samples) / 2**20
        per_client = Spread.of([sample.per_client / 1024 for sample in samples])
        rows.append((TITLES[peer], f"{at_rest:.0f} MiB", _spread(per_client, 2)))
    heading = ("proxy", "at rest", f"KiB per idle client ({results.idle_clients:,} clients)")
    return _table(heading, rows) if rows else ""


def bars_table(results: Results) -> str:
    """The figures of rproxy that have a goal and are no ratio of processor time to the reference's."""
    rows = []
    for bar in BARS:
        if bar.is_in(results):
            measured = bar.measure(results)
            rows.append((bar.title, _spread(measured, 2), f"≤ {bar.goal:g}: {verdict(measured, bar.goal)}"))
    return _table(("rproxy", "measured", "goal"), rows) if rows else ""


def comparisons_table(results: Results) -> str:
    """What stands behind the ratios of the comparisons: where the processor time of both sides went."""
    rows = []
    for comparison in COMPARISONS:
        result = results.found(comparison.name)
        for label, side in comparison.sides.items():
            if result and label in result.samples:
                spreads = (
                    result.spread(label, attrgetter(figure)) for figure in ("user_us", "system_us", "processor_us")
                )
                figures = (spread.scaled(1 / side.case.keys) for spread in spreads if spread)
                rows.append((f"{side.title}, {comparison.under}", *(_median(figure, 2) for figure in figures)))
    return _table(("µs per key", "user", "kernel", "both"), rows) if rows else ""


def micro_table(micro: Mapping[str, Mapping[str, float]]) -> str:
    """Nanoseconds of the hot modules alone, in each form. Empty where they were not measured."""
    forms = list(micro)
    names = list(dict.fromkeys(name for figures in micro.values() for name in figures))
    rows = [(name, *(_nanoseconds(micro[form].get(name)) for form in forms)) for name in names]
    return _table(("ns per operation", *forms), rows) if rows else ""


def noise_line(results: Results) -> str:
    """How much two processes of one proxy differ."""
    parts = []
    for result in results.noise:
        first = next((name for name in result.samples if not name.endswith(AGAIN)), "")
        if ratio := result.ratio(first + AGAIN, first):
            parts.append(f"{TITLES[first]}, {_title(result)}: {_spread(ratio, 2)}")
    return f"Noise floor, one proxy ÷ another process of it: {'; '.join(parts)}." if parts else ""


def conditions(results: Results) -> str:
    """When, where and with what the run was made, and what is missing from it."""
    machine = results.machine
    versions = ", ".join(f"{TITLES[peer]} {results.versions[peer]}" for peer in peers_of(results))
    lines = [
        f"{results.taken[:10]}, {machine.cores} cores of {machine.processor}, {machine.system},"
        f" Python {machine.python}, redis-server {machine.redis_server}, redis-benchmark {machine.redis_benchmark};"
        f" {versions}; revision {machine.revision or NOTHING}."
        f" Rounds: {results.rounds}, of about {results.seconds:g} s for each proxy.",
        *(f"Missing: {why}." for why in results.missing.values()),
        *(
            f"Failed: {TITLES.get(peer, peer)} in {_title(result)}: {why}."
            for result in (*results.cases, *results.comparisons)
            for peer, why in result.failures.items()
        ),
    ]
    return "\n".join(lines)


def whole_report(results: Results) -> str:
    """Everything, as it is printed at the end of a run."""
    parts = (
        conditions(results),
        noise_line(results),
        *((processor_table(results), ratio_table(results)) if results.cases else ()),
        bars_table(results),
        comparisons_table(results),
        clients_table(results) if results.cases else "",
        memory_table(results),
        micro_table(results.micro),
    )
    return "\n\n".join(part for part in parts if part)


def _title(result: CaseResult) -> str:
    case: Case | None = CASE_OF.get(result.name)
    return case.title if case else _COMPARED.get(result.name, result.name)


def _goals(result: CaseResult, peers: Iterable[str]) -> str:
    case = CASE_OF.get(result.name)
    goals = case.goals if case else {}
    return "; ".join(_goal(result, peer, goals[peer]) for peer in peers if peer in goals)


def _goal(result: CaseResult, peer: str, goal: float) -> str:
    ratio = result.ratio(peer, REFERENCE)
    return f"{TITLES[peer]} ≤ {goal:.2f}: {verdict(ratio, goal)}"


def _spread(spread: Spread | None, digits: int) -> str:
    if spread is None:
        return NOTHING
    return f"{spread.median:,.{digits}f} ({spread.least:,.{digits}f} to {spread.greatest:,.{digits}f})"


def _median(spread: Spread | None, digits: int) -> str:
    return NOTHING if spread is None else f"{spread.median:,.{digits}f}"


def _nanoseconds(figure: float | None) -> str:
    return NOTHING if figure is None else f"{figure:,.0f}"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
