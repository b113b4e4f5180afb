"""Figures derived from samples, and files of results."""

from pathlib import Path

import pytest

from benchmarks.results import CaseResult, ResultsError, Spread, load_results
from tests.unit.benchmarks.samples import results, sample


def test_processor_time_is_per_command() -> None:
    taken = sample(user=1.5, system=2.5, commands=500_000)
    assert (taken.user_us, taken.system_us, taken.processor_us) == (3.0, 5.0, 8.0)


def test_a_ratio_is_taken_within_each_round() -> None:
    ratio = results().cases[0].ratio("rproxy", "envoy")
    assert ratio == Spread(median=0.5, least=0.375, greatest=0.8)


def test_no_ratio_without_samples_of_both() -> None:
    result = CaseResult("case", "load", {"rproxy": [sample(1, 1)]})
    assert result.ratio("rproxy", "envoy") is None
    assert result.ratio("envoy", "rproxy") is None
    assert result.spread("envoy", lambda taken: taken.user) is None


def test_a_file_holds_everything(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    results().save(path)
    assert load_results(path) == results()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="No such file or directory; make bench writes it"):
        load_results(tmp_path / "none.json")


def test_a_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("[1]")
    with pytest.raises(ResultsError, match="not the results of a run"):
        load_results(path)
