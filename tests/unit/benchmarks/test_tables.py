"""The Markdown of a run."""

from benchmarks import tables
from benchmarks.results import CaseResult
from tests.unit.benchmarks.samples import results, sample


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_ratios_with_spread_and_goal() -> None:
    heading, _, first, second = rows(tables.ratio_table(results()))
    assert heading == ["÷ Envoy", "rproxy", "goal"]
    assert first == ["GET 32 B, pipeline 16", "0.50 (0.38 to 0.80)", "rproxy ≤ 0.38: missed"]
    assert second[1:] == ["-", "rproxy ≤ 0.50: not measured"]


def test_the_summary_has_the_cases_with_goals() -> None:
    run = results()
    run.cases.append(CaseResult("one-client", "one blocking client", {"rproxy": [sample(1, 1)]}))
    assert [row[0] for row in rows(tables.summary_table(run))[2:]] == [
        *("GET 32 B, pipeline 16", "GET, SET and MGET, pipeline 4, 200 clients")
    ]


def test_a_goal_that_was_missed_or_not_measured() -> None:
    run = results()
    samples = run.cases[0].samples
    samples["rproxy"] = samples["envoy"]
    assert rows(tables.ratio_table(run))[2][2] == "rproxy ≤ 0.38: missed"
    del samples["rproxy"]
    assert rows(tables.ratio_table(run))[2][2] == "rproxy ≤ 0.38: not measured"


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


def test_bars_that_were_tried_are_shown_with_their_goals() -> None:
    shown = {row[0]: row[1:] for row in rows(tables.bars_table(results()))[2:]}
    assert shown == {
        "100 shards, 97 of them of one slot ÷ 3 shards, GET, pipeline 16": ["1.50 (1.50 to 1.50)", "≤ 1.05: missed"],
        "MGET 10,000 keys ÷ MGET 100 keys, for each key": ["1.20 (1.20 to 1.20)", "≤ 1.25: met"],
        "two workers together ÷ one worker, GET, pipeline 16": ["-", "≤ 1.05: not measured"],
        "100 clients, two workers: the fuller's ÷ its fair share": ["1.04 (1.00 to 1.08)", "≤ 1.1: met"],
        "KiB of an idle client": ["2.00 (2.00 to 2.00)", "≤ 2.5: met"],
        "MiB of a worker at rest": ["50.00 (50.00 to 50.00)", "≤ 50: met"],
    }


def test_no_bars() -> None:
    run = results()
    run.comparisons, run.idle_clients, run.spread_clients = [], 0, 0
    assert tables.bars_table(run) == ""
    assert tables.comparisons_table(run) == ""


def test_both_sides_of_a_comparison_cost_so_much_for_each_key() -> None:
    assert rows(tables.comparisons_table(results()))[2:] == [
        ["100 shards, 97 of them of one slot, GET, pipeline 16", "1.00", "2.00", "3.00"],
        ["3 shards, GET, pipeline 16", "1.00", "1.00", "2.00"],
        ["MGET 10,000 keys, for each key", "0.02", "0.04", "0.06"],
        ["MGET 100 keys, for each key", "0.03", "0.02", "0.05"],
    ]


def test_nanoseconds_by_form() -> None:
    table = tables.micro_table({"compiled": {"scan": 67.4}, "pure": {"scan": 1262.0, "more": 1.0}})
    assert rows(table)[2:] == [["scan", "67", "1,262"], ["more", "-", "1"]]
    assert tables.micro_table({}) == ""


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
    assert "Failed: changed in two workers together ÷ one worker, GET, pipeline 16: rproxy has ended." in text
