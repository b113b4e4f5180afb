from rproxy.dispatch.monitors import Monitors
from rproxy.dispatch.session import Session, State


def session(number: int) -> Session:
    return Session(number, "127.0.0.1:1", "127.0.0.1:2", 0.0)


def test_sessions_are_shown_while_anyone_monitors_anywhere() -> None:
    monitors, sessions = Monitors(), [session(1), session(2)]
    monitors.set_audience(0, 1, sessions)
    monitors.set_audience(1, 2, sessions)
    assert [State.MONITORED in one.states for one in sessions] == [True, True]
    monitors.set_audience(0, 0, sessions)
    assert [one.is_plain for one in sessions] == [False, False]
    monitors.set_audience(1, 0, sessions)
    assert [one.is_plain for one in sessions] == [True, True]
    assert not monitors.audience


def test_a_client_that_comes_later_is_shown_too() -> None:
    monitors, late = Monitors(), session(3)
    monitors.watch(late)
    assert late.is_plain
    monitors.set_audience(2, 1, [])
    monitors.watch(late)
    assert not late.is_plain
