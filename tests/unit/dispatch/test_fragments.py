"""Keys by slot: every key once, in order, and both forms alike."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.commands.lookup import COMMANDS
from rproxy.resp import encode
from rproxy.resp.hash_slot import hash_slot
from rproxy.resp.wire import COMMAND, RequestScanner
from tests.support.forms import forms

FORMS = forms("dispatch.fragments")
each_form = pytest.mark.parametrize("module", FORMS, ids=lambda form: form.__name__)


def cut(module: ModuleType, arguments: list[bytes]) -> Any:
    scanner = RequestScanner()
    data = encode.command(arguments)
    assert scanner.next(data, 0, len(data)) == COMMAND
    return module.Fragments(COMMANDS.get(arguments[0]), scanner)


def lists_of(fragments: Any) -> list[tuple[int, list[int]]]:
    found = []
    for fragment in range(fragments.count):
        keys = [fragments.first(fragment)]
        while (following := fragments.next(keys[-1])) >= 0:
            keys.append(following)
        assert fragments.size(fragment) == len(keys)
        found.append((fragments.slot(fragment), keys))
    return found


@given(st.lists(st.sampled_from([b"a", b"b", b"{a}1", b"{b}2", b"c", b"{c}3", b"d"]), min_size=1, max_size=40))
def test_keys_are_grouped_by_slot_in_the_order_of_the_command(keys: list[bytes]) -> None:
    expected: dict[int, list[int]] = {}
    for index, key in enumerate(keys):
        expected.setdefault(hash_slot(key), []).append(index)
    for module in FORMS:
        fragments = cut(module, [b"MGET", *keys])
        assert lists_of(fragments) == list(expected.items())
        assert fragments.keys == len(keys)


@each_form
def test_values_are_no_keys(module: ModuleType) -> None:
    fragments = cut(module, [b"MSET", b"a", b"{b}", b"b", b"{a}"])
    assert lists_of(fragments) == [(hash_slot(b"a"), [0]), (hash_slot(b"b"), [1])]


@each_form
def test_what_is_outside_is_refused(module: ModuleType) -> None:
    fragments = cut(module, [b"MGET", b"a"])
    for question in (fragments.slot, fragments.size, fragments.first, fragments.next):
        with pytest.raises(IndexError):
            question(1)
