"""The Markdown of a run."""

from benchmarks import tables
from tests.unit.benchmarks.samples import results


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_ratios_with_spread_and_goal() -> None:
    heading, _, first, second = rows(tables.ratio_table(results()))
    assert heading == ["÷ Envoy", "rproxy", "goal"]
    assert first == ["GET 32 B, pipeline 16", "0.50 (0.38 to 0.80)", "rproxy ≤ 0.55: met"]
    assert second[1:] == ["-", ""]


def test_the_summary_has_the_cases_with_goals() -> None:
    assert [row[0] for row in rows(tables.summary_table(results()))[2:]] == ["GET 32 B, pipeline 16"]


def test_a_goal_that_was_missed_or_not_measured() -> None:
    run = results()
    samples = run.cases[0].samples
    samples["rproxy"] = samples["envoy"]
    assert rows(tables.ratio_table(run))[2][2] == "rproxy ≤ 0.55: missed"
    del samples["rproxy"]
    assert rows(tables.ratio_table(run))[2][2] == "rproxy ≤ 0.55: not measured"


def test_no_ratios_without_the_reference() -> None:
    run = results()
    run.missing["envoy"] = "Envoy is not here"
    assert tables.ratio_table(run) == "Envoy was not measured: no ratios."


def test_microseconds_per_command() -> None:
    assert rows(tables.processor_table(results()))[2][1:] == ["3.00 (2.00 to 4.00)", "5.00 (4.00 to 8.00)"]


def test_what_clients_saw() -> None:
    assert rows(tables.clients_table(results()))[2] == [
        *("GET 32 B, pipeline 16", "rproxy", "100,000", "0.50", "1.25", "1.00", "1.00")
    ]


def test_memory() -> None:
    assert rows(tables.memory_table(results()))[2] == ["rproxy", "50 MiB", "2.00 (2.00 to 2.00)"]


def test_memory_that_was_not_measured() -> None:
    run = results()
    run.memory = {}
    assert tables.memory_table(run) == ""


def test_noise() -> None:
    assert tables.noise_line(results()).endswith("rproxy, GET 32 B, pipeline 16: 1.05 (1.05 to 1.05).")


def test_conditions_name_what_is_missing_and_what_failed() -> None:
    text = tables.conditions(results())
    assert "rproxy 1.0 compiled, Envoy 1.40.0" in text
    assert "Missing: predixy is not here: build it." in text
    assert "Failed: rproxy in GET, SET and MGET" in text
    assert "the proxy closed a connection" in text
