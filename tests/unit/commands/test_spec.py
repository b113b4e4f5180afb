"""What a row of the command table says about a command; both forms alike."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from rproxy.commands.lookup import SPECS
from rproxy.commands.spec import Access, Plan
from tests.support.forms import forms

FORMS = forms("commands.spec")
each_form = pytest.mark.parametrize("module", FORMS, ids=lambda form: form.__name__)


def make(module: ModuleType, arity: int = 2, access: str = "READ", plan: str = "PLAIN", **columns: Any) -> Any:
    return module.CommandSpec(b"NAME", arity, module.Access[access], plan=module.Plan[plan], **columns)


@pytest.mark.parametrize(
    ("arity", "accepted", "refused"),
    [(2, [2], [0, 1, 3]), (-2, [2, 3, 1000], [0, 1]), (-1, [1, 2], [0]), (0, [0], [1])],
)
@each_form
def test_a_negative_arity_is_a_least_number(
    module: ModuleType, arity: int, accepted: list[int], refused: list[int]
) -> None:
    spec = make(module, arity)
    assert all(spec.accepts(count) for count in accepted)
    assert not any(spec.accepts(count) for count in refused)


@pytest.mark.parametrize(("last_key", "count", "position"), [(1, 9, 1), (-1, 9, 8), (-2, 9, 7), (2, 3, 2), (0, 9, 0)])
@each_form
def test_a_negative_last_key_counts_from_the_end(module: ModuleType, last_key: int, count: int, position: int) -> None:
    assert make(module, first_key=1, last_key=last_key, key_step=1).last_key_of(count) == position


@pytest.mark.parametrize(
    ("plan", "columns", "is_fixed"),
    [
        ("PLAIN", {"first_key": 1}, True),
        ("KEYED", {"first_key": 2}, True),
        ("SPLIT", {"first_key": 1}, True),
        ("KEYED", {}, False),
        ("KEYED", {"first_key": 1, "find_keys": lambda args: ()}, False),
        ("FAN_OUT", {"first_key": 1}, False),
        ("LOCAL", {"first_key": 1}, False),
        ("UNSUPPORTED", {"first_key": 1}, False),
    ],
)
@each_form
def test_only_what_is_forwarded_by_fixed_positions_has_fixed_keys(
    module: ModuleType, plan: str, columns: dict[str, Any], is_fixed: bool
) -> None:
    assert make(module, plan=plan, **columns).has_fixed_keys == is_fixed


@pytest.mark.parametrize(
    ("access", "is_read", "is_write"), [("READ", 1, 0), ("WRITE", 0, 1), ("ADMIN", 0, 0), ("LOCAL", 0, 0)]
)
@each_form
def test_access_is_a_read_a_write_or_neither(module: ModuleType, access: str, is_read: int, is_write: int) -> None:
    spec = make(module, access=access)
    assert (spec.is_read, spec.is_write) == (is_read, is_write)


@each_form
def test_the_plan_is_a_number_that_says_two_things_by_name(module: ModuleType) -> None:
    for plan in module.Plan:
        spec = make(module, plan=plan.name)
        assert (spec.plan, spec.is_plain, spec.is_split) == (plan.value, plan.name == "PLAIN", plan.name == "SPLIT")


@each_form
def test_columns_that_are_not_given_ask_nothing_special(module: ModuleType) -> None:
    spec = make(module)
    assert (spec.first_key, spec.last_key, spec.key_step, spec.index) == (0, 0, 0, 0)
    assert (spec.request_policy, spec.response_policy) == (module.RequestPolicy.ONE, module.ResponsePolicy.FIRST)
    assert (spec.transaction, spec.flags) == (module.Transaction.QUEUE, frozenset())
    assert (spec.find_keys, spec.refusal, spec.subcommands) == (None, None, None)
    assert repr(spec) == "<CommandSpec NAME>"


@each_form
def test_the_index_alone_can_be_changed(module: ModuleType) -> None:
    spec = make(module)
    spec.index = 7
    assert spec.index == 7


def test_the_fast_path_never_reads_a_row_that_has_no_step() -> None:
    fixed = [spec for spec in SPECS if spec.has_fixed_keys]
    assert fixed
    assert all(spec.key_step > 0 and spec.last_key != 0 for spec in fixed)
    # Whatever the arity lets in has its keys inside the arguments.
    assert all(spec.first_key <= spec.last_key_of(abs(spec.arity)) < abs(spec.arity) for spec in fixed)


def test_a_read_never_changes_data_and_a_refusal_is_no_plan() -> None:
    assert not [spec for spec in SPECS if spec.is_read and "write" in spec.flags]
    assert not [spec for spec in SPECS if spec.refusal and spec.plan != Plan.UNSUPPORTED]
    assert {spec.access for spec in SPECS if spec.plan == Plan.LOCAL} == {Access.ADMIN, Access.LOCAL}
