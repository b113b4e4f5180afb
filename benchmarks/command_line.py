"""``python -m benchmarks``: run, list, report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks import report as documents
from benchmarks.cases import CASES, IDLE_MEMORY, NOISE_CASES, WORKER_SPREAD
from benchmarks.comparisons import COMPARISONS
from benchmarks.micro import both_forms
from benchmarks.peers import PEERS, RPROXY
from benchmarks.results import FOLDER, FULL, Results, ResultsError, load_results
from benchmarks.rounds import Plan, run
from benchmarks.tables import micro_table, whole_report
from rproxy.errors import RproxyError

_NO_MATPLOTLIB = "matplotlib is not installed: no charts drawn (pip install matplotlib)"
_IDLE_CLIENTS = 5000
_SPREAD_CLIENTS = 100
_FULL_ROUNDS = 5
_FULL_SECONDS = 2.5
_QUICK_ROUNDS = 3
_QUICK_SECONDS = 0.8
_CASE_NAMES = (
    *(case.name for case in CASES),
    *(comparison.name for comparison in COMPARISONS),
    *(IDLE_MEMORY, WORKER_SPREAD),
)
_PEER_NAMES = tuple(peer.name for peer in PEERS)


def _peers(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    names = tuple(value.split(",")) if value else _PEER_NAMES
    unknown = [name for name in names if name not in _PEER_NAMES]
    if unknown:
        raise click.BadParameter(f"no peer is called {', '.join(unknown)}: there are {', '.join(_PEER_NAMES)}")
    return names


@click.group(invoke_without_command=True)
@click.option("--quick", is_flag=True, help="The main cases, fewer and shorter rounds: under 3 minutes.")
@click.option("--case", "cases", multiple=True, type=click.Choice(_CASE_NAMES), help="Only this case; repeatable.")
@click.option("--peers", metavar="A,B", callback=_peers, help="Only these peers.")
@click.option("--rounds", type=click.IntRange(1), help=f"Rounds of each case ({_FULL_ROUNDS}; quick: {_QUICK_ROUNDS}).")
@click.option("--seconds", type=click.FloatRange(0.1), help="About how long each round of each peer lasts.")
@click.option("--list", "is_listing", is_flag=True, help="List cases and peers, and which peers are here.")
@click.pass_context
def main(
    context: click.Context,
    quick: bool,
    cases: tuple[str, ...],
    peers: tuple[str, ...],
    rounds: int | None,
    seconds: float | None,
    is_listing: bool,
) -> None:
    """Measure rproxy and its peers in turn before the same Redis Cluster, and save what was found."""
    if context.invoked_subcommand:
        return
    if is_listing:
        _show_list()
        return
    chosen = cases or tuple(name for name in _CASE_NAMES if not quick or name in _quick_cases())
    plan = Plan(
        cases=[case for case in CASES if case.name in chosen],
        noise_cases=[] if cases else NOISE_CASES,
        peers=[peer for peer in PEERS if peer.name in peers],
        rounds=rounds or (_QUICK_ROUNDS if quick else _FULL_ROUNDS),
        seconds=seconds or (_QUICK_SECONDS if quick else _FULL_SECONDS),
        idle_clients=_IDLE_CLIENTS if IDLE_MEMORY in chosen else 0,
        comparisons=[row for row in COMPARISONS if row.name in chosen and RPROXY.name in peers],
        spread_clients=_SPREAD_CLIENTS if WORKER_SPREAD in chosen and RPROXY.name in peers else 0,
        has_micro=not (cases or quick),
    )
    is_full = chosen == _CASE_NAMES and set(peers) == set(_PEER_NAMES) and plan.rounds >= _QUICK_ROUNDS
    _run(plan, FULL if is_full else None)


@main.command()
def report() -> None:
    """Write the tables and charts of the documents from the latest full run."""
    try:
        for path in documents.write(load_results(FULL)):
            print(path.relative_to(documents.ROOT))
    except ResultsError as error:
        raise click.ClickException(str(error)) from None
    except ImportError:
        raise click.ClickException(_NO_MATPLOTLIB) from None


@main.command()
@click.argument("path", type=click.Path(path_type=Path), default=FULL)
def show(path: Path) -> None:
    """Print the tables of a saved run, the latest full one unless told otherwise."""
    try:
        print(whole_report(load_results(path)))
    except ResultsError as error:
        raise click.ClickException(str(error)) from None


@main.command()
def micro() -> None:
    """Measure the hot modules alone, in both forms."""
    print(micro_table(both_forms()))


def _run(plan: Plan, path: Path | None) -> None:
    try:
        results = run(plan, _tell)
    except RproxyError as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        raise click.Abort from None
    print(whole_report(results))
    _save(results, path or FOLDER / f"{results.taken[:19].replace(':', '')}.json")


def _save(results: Results, path: Path) -> None:
    results.save(path)
    charts: Sequence[Path] = ()
    try:
        from benchmarks.charts import draw

        charts = draw(results, path.parent)
    except ImportError:
        _tell(_NO_MATPLOTLIB)
    for written in (path, *charts):
        _tell(f"wrote {written.relative_to(documents.ROOT)}")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _quick_cases() -> tuple[str, ...]:
    return tuple(case.name for case in CASES if case.is_quick)


def _show_list() -> None:
    for case in CASES:
        print(f"{case.name:20} {case.title}{' (quick)' if case.is_quick else ''}")
    for comparison in COMPARISONS:
        print(f"{comparison.name:20} rproxy alone: {comparison.title}")
    print(f"{IDLE_MEMORY:20} resident memory per idle client, {_IDLE_CLIENTS:,} clients")
    print(f"{WORKER_SPREAD:20} rproxy alone: how evenly two workers share {_SPREAD_CLIENTS} clients")
    print()
    for peer in PEERS:
        version = peer.version()
        print(
            f"{peer.name:20} {peer.title} {version}, before {peer.backend.value}"
            if version
            else f"{peer.name:20} missing: {peer.how_to_get}"
        )
