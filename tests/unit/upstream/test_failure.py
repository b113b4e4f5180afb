"""The failure table: what may be retried, and that every row speaks to a client library."""

from __future__ import annotations

import pytest

from rproxy.upstream.failure import FAILURES, LOST, TIMEOUT, Failure


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.label)
def test_every_row_is_one_error_line(failure: Failure) -> None:
    line = failure.line("127.0.0.1:7000", "reset\r\nby peer")
    assert line.startswith((b"-ERR ", b"-CLUSTERDOWN "))
    assert line.endswith(b"\r\n")
    assert line.count(b"\r") == line.count(b"\n") == 1
    assert b"{" not in line


def test_labels_are_unique() -> None:
    assert len({failure.label for failure in FAILURES}) == len(FAILURES)


@pytest.mark.parametrize(
    ("was_written", "is_read", "may_retry"),
    [(False, False, True), (False, True, True), (True, True, True), (True, False, False)],
)
def test_a_write_that_may_have_been_executed_is_not_sent_again(
    was_written: bool, is_read: bool, may_retry: bool
) -> None:
    assert LOST.may_retry(was_written, is_read) is may_retry


def test_a_timeout_is_never_retried() -> None:
    assert not TIMEOUT.may_retry(was_written=False, is_read=True)
