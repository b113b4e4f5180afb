"""Hash slots: the cases of the cluster specification, and an independent CRC as the oracle of both forms."""

from __future__ import annotations

from types import ModuleType

import crcmod.predefined
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.forms import forms

FORMS = forms("resp.hash_slot")
each_form = pytest.mark.parametrize("module", FORMS, ids=lambda form: form.__name__)
oracle_crc = crcmod.predefined.mkPredefinedCrcFun("xmodem")


@pytest.mark.parametrize(
    ("key", "same_as"),
    [
        (b"{user1000}.following", b"user1000"),
        (b"foo{}{bar}", None),
        (b"foo{{bar}}zap", b"{bar"),
        (b"foo{bar}{zap}", b"bar"),
        (b"{}", None),
        (b"{", None),
        (b"", None),
    ],
)
@each_form
def test_hash_tags_of_the_cluster_specification(module: ModuleType, key: bytes, same_as: bytes | None) -> None:
    assert module.hash_slot(key) == oracle_crc(key if same_as is None else same_as) % 16384


@each_form
def test_crc_of_the_cluster_specification(module: ModuleType) -> None:
    assert module.hash_slot(b"123456789") == 0x31C3 % 16384


@given(st.binary(max_size=80))
def test_slots_agree_with_an_independent_crc(key: bytes) -> None:
    if b"{" not in key:
        assert {form.hash_slot(key) for form in FORMS} == {oracle_crc(key) % 16384}
    assert len({form.hash_slot(key) for form in FORMS}) == 1
