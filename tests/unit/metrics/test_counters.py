"""Outcomes and latencies of a command; both forms alike."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.forms import forms

FORMS = forms("metrics.counters")
each_form = pytest.mark.parametrize("module", FORMS, ids=lambda form: form.__name__)


@each_form
def test_nothing_was_counted_before_the_first_command(module: ModuleType) -> None:
    stats = module.CommandStats()
    assert (stats.success, stats.error, stats.seconds) == (0, 0, 0.0)
    assert list(stats.counts) == [0] * (len(module.BUCKETS) + 1)


@each_form
def test_outcomes_are_told_apart_and_times_added(module: ModuleType) -> None:
    stats = module.CommandStats()
    for is_error, seconds in ((False, 0.25), (True, 0.5), (False, 4.0)):
        stats.record(is_error, seconds)
    assert (stats.success, stats.error, stats.seconds) == (2, 1, 4.75)
    assert sum(stats.counts) == 3


@each_form
def test_a_bound_belongs_to_its_bucket(module: ModuleType) -> None:
    for index, bound in enumerate(module.BUCKETS):
        stats = module.CommandStats()
        stats.record(False, bound)
        stats.record(False, bound * 1.0001)
        assert (stats.counts[index], stats.counts[index + 1]) == (1, 1)


@each_form
def test_the_slowest_have_a_bucket_of_their_own(module: ModuleType) -> None:
    stats = module.CommandStats()
    stats.record(False, 1e9)
    assert list(stats.counts) == [0] * len(module.BUCKETS) + [1]


@each_form
def test_the_buckets_rise_from_50_microseconds(module: ModuleType) -> None:
    assert module.BUCKETS[0] == 0.00005
    assert list(module.BUCKETS) == sorted(set(module.BUCKETS))
    assert module.BUCKETS == FORMS[0].BUCKETS


@given(st.lists(st.tuples(st.booleans(), st.floats(-1.0, 20.0, width=32)), max_size=30))
def test_the_forms_count_alike(commands: list[tuple[bool, float]]) -> None:
    counted = []
    for module in FORMS:
        stats = module.CommandStats()
        for is_error, seconds in commands:
            stats.record(is_error, seconds)
        counted.append((stats.success, stats.error, stats.seconds, list(stats.counts)))
        assert sum(stats.counts) == len(commands) == stats.success + stats.error
    assert all(each == counted[0] for each in counted)
