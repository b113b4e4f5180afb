"""What the tour writes, into a terminal and into a stream of lines."""

from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from rproxy.demo.screen import Screen


class Shown(Screen):
    """A screen whose output is read."""

    def __init__(self, *, is_terminal: bool = False) -> None:
        self.file = io.StringIO()
        options = {"highlight": False, "markup": False, "width": 40, "legacy_windows": False}
        super().__init__(Console(file=self.file, force_terminal=is_terminal, **options))

    @property
    def text(self) -> str:
        return self.file.getvalue()


LONG = "word " * 30


def test_lines_say_what_they_are() -> None:
    screen = Shown()
    screen.heading("1. placement")
    screen.say("a line")
    screen.good("it held")
    screen.bad("it did not")
    assert screen.text == "\n1. placement\n  a line\n  ok: it held\n  FAILED: it did not\n"


@pytest.mark.parametrize("method", ["heading", "say", "good", "bad"])
def test_a_line_stays_one_line_and_what_looks_like_markup_is_text(method: str) -> None:
    screen = Shown()
    getattr(screen, method)(f"[bold]{LONG}")
    assert f"[bold]{LONG}".strip() in screen.text
    assert screen.text.strip("\n").count("\n") == 0


def test_a_terminal_has_colours() -> None:
    screen = Shown(is_terminal=True)
    screen.good("it held")
    screen.bad("it did not")
    assert "\x1b[32m" in screen.text
    assert "\x1b[1;31m" in screen.text


def test_a_table_has_its_headings_and_rows() -> None:
    screen = Shown()
    screen.table(("node", "keys"), [("7000", "a b"), ("7001", "nothing")])
    rows = [line.split(None, 1) for line in screen.text.splitlines() if line.strip("─- ")]
    assert [[word.strip() for word in row] for row in rows] == [["node", "keys"], ["7000", "a b"], ["7001", "nothing"]]


def test_waiting_is_one_line_in_a_stream() -> None:
    screen = Shown()
    with screen.waiting("forming a cluster"):
        assert screen.text == "  forming a cluster ...\n"
    assert screen.text == "  forming a cluster ...\n"


def test_waiting_is_a_clock_in_a_terminal_that_goes_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    screen = Shown(is_terminal=True)
    assert screen.is_terminal
    with screen.waiting("forming [a cluster]"):
        pass
    assert "forming [a cluster]" in screen.text
    assert "0:00:00" in screen.text
    assert "..." not in screen.text
    assert screen.text.endswith("\x1b[2K")
