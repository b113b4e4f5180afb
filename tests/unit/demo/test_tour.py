"""How the tour ends; what it does is tested on real processes in tests/integration/test_tour.py."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from rproxy.demo import tour
from rproxy.demo.steps import Step, StepFailed
from rproxy.errors import StartError

STAGE = SimpleNamespace(
    port=1, cluster=SimpleNamespace(seeds="seeds"), mirror=SimpleNamespace(address="mirror"), proxy=SimpleNamespace()
)


@contextmanager
def empty_stage(_screen: object) -> Iterator[Any]:
    yield STAGE


def holds(_stage: object, _screen: object) -> None:
    """A step in which nothing goes wrong."""


def fails(_stage: object, _screen: object) -> None:
    raise StepFailed("seen elsewhere")


@pytest.fixture(autouse=True)
def stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tour, "set_up", empty_stage)


def take(monkeypatch: pytest.MonkeyPatch, *steps: Step) -> int:
    monkeypatch.setattr(tour, "STEPS", steps)
    return tour.main()


def test_a_tour_whose_steps_hold_ends_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    assert take(monkeypatch, Step("one", "?", holds), Step("two", "?", holds)) == 0


def test_the_step_that_fails_is_named_and_is_the_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert take(monkeypatch, Step("one", "?", holds), Step("two", "?", fails), Step("three", "?", holds)) == 1
    output = capsys.readouterr().out
    assert "FAILED: two: seen elsewhere" in output
    assert "three" not in output


def test_what_cannot_start_is_the_step_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_screen: object) -> None:
        raise StartError("redis-server 6.2 or newer is needed")

    monkeypatch.setattr(tour, "set_up", refuse)
    assert take(monkeypatch) == 1
    assert "FAILED: start: redis-server 6.2 or newer is needed" in capsys.readouterr().out


def test_ctrl_c_ends_it_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_stage: object, _screen: object) -> None:
        raise KeyboardInterrupt

    assert take(monkeypatch, Step("one", "?", interrupt)) == 130


def test_without_rich_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rich.box", None)
    monkeypatch.delitem(sys.modules, "rproxy.demo.screen", raising=False)
    assert tour.main() == 1
    assert capsys.readouterr().err == "the tour needs rich: pip install 'rproxy[demo]'\n"
