"""The load of one client: which case is for it, and what it makes of a server's answers."""

import pytest

from benchmarks.cases import CASES
from benchmarks.load import LoadError
from benchmarks.one_client_load import OneClientLoad
from rproxy.demo.ports import free_port
from tests.unit.benchmarks.test_pipeline_load import server

CASE = next(case for case in CASES if case.name == "one-client")


def test_only_the_case_of_one_client_is_for_it() -> None:
    assert [case for case in CASES if OneClientLoad().can_run(case)] == [CASE]


def test_every_command_is_answered_and_counted() -> None:
    with server(b"$1\r\nx\r\n") as port:
        report = OneClientLoad().run(CASE, port, 50)
    assert report.commands == 50
    assert report.throughput > 0
    assert 0 < report.p50_ms <= report.p99_ms


@pytest.mark.parametrize(
    ("answer", "error"),
    [(b"-LOADING no\r\n", r"^the proxy answered: LOADING no$"), (b"", r"^the proxy closed a connection$")],
)
def test_what_ends_the_load(answer: bytes, error: str) -> None:
    with server(answer) as port, pytest.raises(LoadError, match=error):
        OneClientLoad().run(CASE, port, 50)


def test_nobody_listens() -> None:
    with pytest.raises(LoadError, match="no answer from port"):
        OneClientLoad().run(CASE, free_port(), 1)
