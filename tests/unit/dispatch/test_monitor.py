"""What a monitor is shown, and what not."""

from __future__ import annotations

import pytest

from rproxy.dispatch.monitor import redacted
from rproxy.dispatch.monitors import Monitors
from rproxy.dispatch.session import Session, State


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("SET a b", "SET a b"),
        ("AUTH secret", "AUTH (redacted)"),
        ("auth user secret", "auth (redacted) (redacted)"),
        ("HELLO 3 AUTH user secret SETNAME me", "HELLO 3 AUTH (redacted) (redacted) SETNAME me"),
        ("MIGRATE h 1 k 0 9 AUTH secret KEYS a", "MIGRATE h 1 k 0 9 AUTH (redacted) KEYS a"),
        ("MIGRATE h 1 k 0 9 AUTH2 user secret", "MIGRATE h 1 k 0 9 AUTH2 (redacted) (redacted)"),
        ("SET AUTH secret", "SET AUTH secret"),
    ],
)
def test_passwords_are_not_shown(line: str, shown: str) -> None:
    assert b" ".join(redacted(line.encode().split())).decode() == shown


def test_clients_are_looked_at_while_anyone_monitors() -> None:
    monitors, here, late = Monitors(), Session(1, "", "", 0.0), Session(2, "", "", 0.0)
    monitors.watch(here)
    assert here.is_plain
    monitors.set_audience(3, 2, [here])
    monitors.watch(late)
    assert State.MONITORED in here.states & late.states
    monitors.set_audience(3, 0, [here, late])
    assert here.is_plain
    assert late.is_plain
