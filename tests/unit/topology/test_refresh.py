import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.topology.redirection import RedirectionKind
from rproxy.topology.refresh import DEBOUNCE, RETRY_MOST, SPREAD, RefreshPolicy, RefreshSchedule

RATE = 5.0


def refreshed(at: float = 100.0, **settings: float) -> RefreshSchedule:
    schedule = RefreshSchedule(RefreshPolicy(**settings))  # type: ignore[arg-type]
    schedule.on_refreshed(at)
    return schedule


def test_the_first_refresh_is_due_at_once() -> None:
    assert RefreshSchedule(RefreshPolicy()).next_refresh_at(7.0, 0.5) == 7.0


def test_without_a_hint_the_period_counts_from_the_last_refresh() -> None:
    assert refreshed().next_refresh_at(101.0, 0.0) == 100.0 + RATE
    assert refreshed().next_refresh_at(101.0, 0.5) == pytest.approx(100.0 + RATE * (1 + SPREAD / 2))
    assert refreshed(cluster_refresh_rate=0.5).next_refresh_at(100.0, 0.0) == 100.5


def test_what_is_overdue_is_due_now() -> None:
    assert refreshed().next_refresh_at(1000.0, 0.9) == 1000.0


def test_the_first_failure_triggers_a_refresh_at_once() -> None:
    schedule = refreshed()
    schedule.on_failure(102.0)
    assert schedule.next_refresh_at(102.0, 0.9) == 102.0


def test_refreshes_are_debounced() -> None:
    schedule = refreshed()
    schedule.on_failure(100.01)
    schedule.on_failure(100.02)
    assert schedule.next_refresh_at(100.02, 0.0) == pytest.approx(100.0 + DEBOUNCE)


def test_each_failure_triggers_again_after_a_refresh() -> None:
    schedule = refreshed()
    schedule.on_failure(101.0)
    schedule.on_refreshed(101.1)
    assert schedule.next_refresh_at(101.2, 0.0) == pytest.approx(101.1 + RATE)
    schedule.on_failure(102.0)
    assert schedule.next_refresh_at(102.0, 0.0) == 102.0


def test_redirections_trigger_at_their_threshold() -> None:
    schedule = refreshed()
    for _ in range(4):
        schedule.on_redirect(101.0)
    assert schedule.next_refresh_at(101.0, 0.0) == 100.0 + RATE
    schedule.on_redirect(101.0)
    assert schedule.next_refresh_at(101.0, 0.0) == 101.0


def test_redirections_wait_for_their_interval_and_failures_do_not() -> None:
    schedule = refreshed(redirect_refresh_interval=2.0, redirect_refresh_threshold=1)
    schedule.on_redirect(101.0)
    schedule.on_refreshed(101.0)
    schedule.on_redirect(102.9)
    assert schedule.next_refresh_at(102.9, 0.0) == 101.0 + RATE
    schedule.on_redirect(103.0)
    assert schedule.next_refresh_at(103.0, 0.0) == 103.0
    schedule.on_refreshed(103.0)
    schedule.on_failure(103.5)
    assert schedule.next_refresh_at(103.5, 0.0) == 103.5


@pytest.mark.parametrize(
    ("kind", "is_urgent"),
    [
        (RedirectionKind.MOVED, False),
        (RedirectionKind.ASK, False),
        (RedirectionKind.TRYAGAIN, False),
        (RedirectionKind.LOADING, False),
        (RedirectionKind.CLUSTERDOWN, True),
        (RedirectionKind.MASTERDOWN, True),
        (RedirectionKind.READONLY, True),
    ],
)
def test_a_redirection_that_tells_of_a_failover_counts_as_a_failure(kind: RedirectionKind, is_urgent: bool) -> None:
    schedule = refreshed()
    schedule.on_redirect(101.0, kind)
    assert (schedule.next_refresh_at(101.0, 0.0) == 101.0) is is_urgent


@pytest.mark.parametrize("kind", [RedirectionKind.TRYAGAIN, RedirectionKind.LOADING])
def test_redirections_that_say_nothing_about_the_topology_are_not_counted(kind: RedirectionKind) -> None:
    schedule = refreshed(redirect_refresh_threshold=1)
    schedule.on_redirect(101.0, kind)
    assert schedule.next_refresh_at(101.0, 0.0) == 100.0 + RATE


def test_a_threshold_of_zero_never_triggers() -> None:
    schedule = refreshed(redirect_refresh_threshold=0, failure_refresh_threshold=0, host_degraded_refresh_threshold=0)
    for _ in range(100):
        schedule.on_redirect(101.0)
        schedule.on_failure(101.0)
        schedule.on_degraded(101.0)
    assert schedule.next_refresh_at(101.0, 0.0) == 100.0 + RATE


def test_degraded_hosts_have_their_own_count() -> None:
    schedule = refreshed(failure_refresh_threshold=2, host_degraded_refresh_threshold=2)
    schedule.on_degraded(101.0)
    schedule.on_failure(101.0)
    assert schedule.next_refresh_at(101.0, 0.0) == 100.0 + RATE
    schedule.on_degraded(101.5)
    assert schedule.next_refresh_at(101.5, 0.0) == 101.5


def test_counts_begin_anew_with_a_refresh() -> None:
    schedule = refreshed(failure_refresh_threshold=2)
    schedule.on_failure(101.0)
    schedule.on_refreshed(105.0)
    schedule.on_failure(106.0)
    assert schedule.next_refresh_at(106.0, 0.0) == 105.0 + RATE


def test_a_hint_heard_during_a_refresh_asks_for_another() -> None:
    schedule = refreshed()
    schedule.on_failure(101.0)
    schedule.on_failure(101.2)
    schedule.on_refreshed(101.5, started_at=101.1)
    assert schedule.next_refresh_at(101.5, 0.0) == pytest.approx(101.5 + DEBOUNCE)
    schedule.on_refreshed(101.7, started_at=101.6)
    assert schedule.next_refresh_at(101.7, 0.0) == pytest.approx(101.7 + RATE)


def test_a_failed_refresh_is_tried_again_with_back_off() -> None:
    schedule = refreshed()
    waits = []
    for _ in range(6):
        schedule.on_refresh_failed(200.0)
        waits.append(round(schedule.next_refresh_at(200.0, 0.0) - 200.0, 6))
    assert waits == [0.1, 0.2, 0.4, 0.8, RETRY_MOST, RETRY_MOST]
    schedule.on_refreshed(200.0)
    assert schedule.next_refresh_at(200.0, 0.0) == 205.0


def test_a_failed_refresh_leaves_its_hint_standing() -> None:
    schedule = refreshed()
    schedule.on_failure(150.0)
    schedule.on_refresh_failed(150.0)
    schedule.on_refreshed(150.2, started_at=149.0)
    assert schedule.next_refresh_at(150.2, 0.0) == pytest.approx(150.2 + DEBOUNCE)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["on_redirect", "on_failure", "on_degraded", "on_refreshed", "on_refresh_failed"]),
        st.floats(0, 3),
    ),
    max_size=60,
)


@given(STEPS, st.floats(0, 1, exclude_max=True))
def test_the_next_refresh_is_never_closer_than_the_debounce_nor_farther_than_the_period(
    steps: list[tuple[str, float]], jitter: float
) -> None:
    schedule = refreshed(host_degraded_refresh_threshold=1)
    now = ended = 100.0
    for name, later in steps:
        now += later
        getattr(schedule, name)(now)
        ended = now if name.startswith("on_refresh") else ended
        due = schedule.next_refresh_at(now, jitter)
        assert due >= now
        assert due >= ended + DEBOUNCE - 1e-9
        assert due <= max(now, ended + RATE * (1 + SPREAD) + 1e-9)
