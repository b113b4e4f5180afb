"""Reading what redis-benchmark prints."""

import pytest

from benchmarks.cases import CASES
from benchmarks.load import LoadError, LoadReport
from benchmarks.redis_benchmark import RedisBenchmark, parse, why_failed

HEADING = (
    '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"'
)


def test_the_row_of_a_command() -> None:
    output = f'{HEADING}\n"GET small:__rand_int__","45714.29","0.828","0.184","0.695","2.071","3.551","5.079"\n'
    assert parse(output, 40_000) == LoadReport(40_000, 45714.29, 0.695, 3.551)


def test_a_command_with_commas_and_quotes() -> None:
    output = f'{HEADING}\n"SET a,b "c","1000.5","1","1","2.5","3","4.5","5"\n'
    assert parse(output, 10) == LoadReport(10, 1000.5, 2.5, 4.5)


def test_a_command_of_any_size() -> None:
    command = "MGET " + " ".join(["small:__rand_int__"] * 10_000)
    assert parse(f'{HEADING}\n"{command}","194.5","1","1","2.5","3","4.5","5"\n', 97) == LoadReport(97, 194.5, 2.5, 4.5)


@pytest.mark.parametrize("output", ["", HEADING, "WARNING: Could not fetch server CONFIG"])
def test_no_row(output: str) -> None:
    with pytest.raises(LoadError, match=r"^redis-benchmark printed no result"):
        parse(output, 10)


@pytest.mark.parametrize(
    ("output", "errors", "why"),
    [
        (
            f"{HEADING}\nError from server: ERR no\n",
            "WARNING: Could not fetch server CONFIG\n",
            "Error from server: ERR no",
        ),
        (
            HEADING,
            "WARNING: Could not fetch server CONFIG\nError: Server closed the connection\n",
            "Error: Server closed the connection",
        ),
        (HEADING, "WARNING: Could not fetch server CONFIG\n", ""),
    ],
)
def test_the_error_is_told_and_not_the_warning(output: str, errors: str, why: str) -> None:
    assert why_failed(output, errors) == why


def test_a_mix_of_commands_is_not_for_it() -> None:
    mixed = next(case for case in CASES if len(case.mix) > 1)
    assert not RedisBenchmark().can_run(mixed)


def test_without_it_nothing_is_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/dev/null")
    assert not any(RedisBenchmark().can_run(case) for case in CASES)
    assert RedisBenchmark().version() is None
