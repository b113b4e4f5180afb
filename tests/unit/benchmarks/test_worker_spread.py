"""Which share the fuller worker has, by the descriptors of the processes."""

from benchmarks.worker_spread import share_of_fuller

SUPERVISOR, ONE, OTHER = 1, 2, 3


def test_only_new_descriptors_count() -> None:
    before = {SUPERVISOR: 30, ONE: 10, OTHER: 20}
    assert share_of_fuller(before, {SUPERVISOR: 30, ONE: 60, OTHER: 70}, 50) == 1.0
    assert share_of_fuller(before, {SUPERVISOR: 30, ONE: 40, OTHER: 90}, 50) == 1.4


def test_a_process_that_came_later_has_none_before() -> None:
    assert share_of_fuller({ONE: 10}, {ONE: 10, OTHER: 100}, 50) == 2.0
