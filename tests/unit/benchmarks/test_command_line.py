"""What ``python -m benchmarks`` accepts and refuses."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchmarks import command_line
from benchmarks.cases import CASES, NOISE_CASES
from benchmarks.command_line import main
from benchmarks.comparisons import COMPARISONS
from benchmarks.peers import PEERS
from benchmarks.results import FULL
from benchmarks.rounds import Plan
from tests.unit.benchmarks.samples import results


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Plan, Path | None]]:
    """Gives the plan, and the file to be written, that a command line comes to."""
    runs: list[tuple[Plan, Path | None]] = []
    monkeypatch.setattr(command_line, "_run", lambda plan, path: runs.append((plan, path)))

    def plan_of(*arguments: str) -> tuple[Plan, Path | None]:
        assert call(*arguments).exit_code == 0
        return runs[-1]

    return plan_of


def test_everything_by_default(planned: Callable[..., tuple[Plan, Path | None]]) -> None:
    plan, path = planned()
    assert plan == Plan(
        list(CASES),
        NOISE_CASES,
        list(PEERS),
        rounds=5,
        seconds=2.5,
        idle_clients=5000,
        comparisons=list(COMPARISONS),
        spread_clients=100,
        has_micro=True,
    )
    assert path == FULL


def test_quick_runs_fewer_and_does_not_replace_the_full_run(
    planned: Callable[..., tuple[Plan, Path | None]],
) -> None:
    plan, path = planned("--quick")
    assert [case.name for case in plan.cases] == ["get-p1", "set-p1", "get-p16", "set-p16", "get-p64", "set-p64"]
    assert (plan.rounds, plan.idle_clients, path) == (3, 0, None)
    assert (plan.comparisons, plan.spread_clients, plan.has_micro) == ([], 0, False)


def test_one_case_and_some_peers(planned: Callable[..., tuple[Plan, Path | None]]) -> None:
    plan, path = planned("--case", "get-p16", "--peers", "envoy,twemproxy", "--rounds", "2")
    assert [case.name for case in plan.cases] == ["get-p16"]
    assert [peer.name for peer in plan.peers] == ["envoy", "twemproxy"]
    assert (plan.noise_cases, plan.rounds, plan.idle_clients, path) == ([], 2, 0, None)


def test_idle_memory_alone(planned: Callable[..., tuple[Plan, Path | None]]) -> None:
    plan, _ = planned("--case", "idle-memory")
    assert (plan.cases, plan.idle_clients) == ([], 5000)


def test_rproxy_against_itself(planned: Callable[..., tuple[Plan, Path | None]]) -> None:
    plan, path = planned("--case", "two-workers", "--case", "worker-spread")
    assert [comparison.name for comparison in plan.comparisons] == ["two-workers"]
    assert (plan.cases, plan.noise_cases, plan.spread_clients, plan.has_micro, path) == ([], [], 100, False, None)


def test_without_rproxy_there_is_nothing_to_compare_with_itself(
    planned: Callable[..., tuple[Plan, Path | None]],
) -> None:
    plan, path = planned("--peers", "envoy")
    assert (plan.comparisons, plan.spread_clients, path) == ([], 0, None)


def test_a_peer_that_nobody_knows() -> None:
    result = call("--peers", "envoy,envoi")
    assert result.exit_code == 2
    assert "no peer is called envoi: there are rproxy," in result.output


def test_show_prints_a_saved_run(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    results().save(path)
    assert "0.50 (0.38 to 0.80)" in call("show", str(path)).output


def test_report_without_a_full_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command_line, "FULL", tmp_path / "full.json")
    result = call("report")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert result.output.rstrip().endswith("make bench writes it")
