import io
import logging
import sys
from collections.abc import Iterator

import pytest

from rproxy.server.logs import LineFormatter, exception_line, set_up_logs


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    yield logging.getLogger("rproxy.tested")
    root.setLevel(before[0])
    root.handlers[:] = before[1]


def lines_of(log: logging.Logger, monkeypatch: pytest.MonkeyPatch, level: str, who: str = "") -> io.StringIO:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    set_up_logs(level, who)
    return written


def test_an_event_is_a_line_on_stderr(log: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    written = lines_of(log, monkeypatch, "info")
    log.warning("cluster %s is gone", "main")
    time, _, rest = written.getvalue().partition(" ")
    assert rest == "WARNING rproxy.tested: cluster main is gone\n"
    assert time.endswith("Z")
    assert len(time) == len("2030-01-31T12:00:00.000Z")


def test_the_level_is_the_least_that_is_logged(log: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    written = lines_of(log, monkeypatch, "warning")
    log.info("small talk")
    assert written.getvalue() == ""


def test_a_worker_is_named(log: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    written = lines_of(log, monkeypatch, "info", "worker 3")
    log.info("here")
    assert written.getvalue().endswith(" INFO worker 3 rproxy.tested: here\n")


def test_line_breaks_do_not_make_lines(log: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    written = lines_of(log, monkeypatch, "info")
    log.error("client said\r\n2030-01-31T12:00:00.000Z INFO forged")
    assert written.getvalue().count("\n") == 1


def test_an_exception_is_one_line_without_a_traceback() -> None:
    try:
        int("x")
    except ValueError as error:
        record = logging.LogRecord("n", logging.ERROR, __file__, 1, "it failed", (), (type(error), error, None))
        line = LineFormatter().format(record)
        assert "it failed: ValueError: invalid literal for int() with base 10: 'x' (at test_logs.py:" in line
        assert "Traceback" not in line
        assert "\n" not in line


def test_an_exception_names_where_it_came_from_innermost_first() -> None:
    def inner() -> None:
        raise RuntimeError("deep")

    with pytest.raises(RuntimeError) as caught:
        inner()
    here = caught.traceback[0].lineno + 1
    assert exception_line(caught.value) == f"RuntimeError: deep (at test_logs.py:{here - 3} < test_logs.py:{here})"


def test_an_exception_that_was_never_raised() -> None:
    assert exception_line(KeyError("k")) == "KeyError: 'k'"
