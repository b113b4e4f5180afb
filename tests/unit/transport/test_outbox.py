"""Outboxes: what goes in comes out, and what is retained can be read until it is released."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.forms import forms

FORMS = forms("transport.outbox")
each_form = pytest.mark.parametrize("module", FORMS, ids=lambda form: form.__name__)


@each_form
def test_bytes_are_taken_once(module: ModuleType) -> None:
    outbox = module.Outbox(False)
    outbox.append(b"xabcx", 1, 4)
    outbox.append(bytearray(b"def"), 0, 3)
    outbox.write(b"g")
    assert outbox.unsent() == 7
    assert outbox.take() == b"abcdefg"
    assert (outbox.unsent(), outbox.size(), outbox.take()) == (0, 0, b"")


@each_form
def test_retained_bytes_stay_until_released(module: ModuleType) -> None:
    outbox = module.Outbox(True)
    outbox.write(b"first")
    assert outbox.take() == b"first"
    outbox.write(b"second")
    assert (outbox.size(), outbox.sent(), outbox.unsent()) == (11, 5, 6)
    assert outbox.copy(5, 6) == b"second"
    assert outbox.release(5)
    assert outbox.copy(0, 6) == b"second"


@each_form
def test_what_was_not_sent_is_not_released(module: ModuleType) -> None:
    outbox = module.Outbox(True)
    outbox.write(b"abc")
    assert not outbox.release(3)
    assert outbox.copy(0, 3) == b"abc"


@each_form
def test_copies_outside_are_refused(module: ModuleType) -> None:
    outbox = module.Outbox(True)
    outbox.write(b"abc")
    for offset, size in ((0, 4), (-1, 2), (3, 1)):
        with pytest.raises(IndexError):
            outbox.copy(offset, size)


@each_form
def test_only_bytes_and_bytearray_are_chunks(module: ModuleType) -> None:
    with pytest.raises(TypeError):
        module.Outbox(False).append("text", 0, 1)


@given(st.lists(st.tuples(st.sampled_from(["write", "take", "release", "clear"]), st.integers(0, 5000))))
def test_an_outbox_is_a_byte_queue_with_a_memory(steps: list[tuple[str, int]]) -> None:
    for module in FORMS:
        outbox = module.Outbox(True)
        kept, sent, serial = b"", 0, 0
        for step, number in steps:
            if step == "write":
                data = bytes((serial + i) % 251 for i in range(number))
                serial += number
                outbox.write(data)
                kept += data
            elif step == "take":
                assert outbox.take() == kept[sent:]
                sent = len(kept)
            elif step == "release":
                assert outbox.release(number) == (number <= sent)
                if number <= sent:
                    kept, sent = kept[number:], sent - number
            else:
                outbox.clear()
                kept, sent = b"", 0
            assert (outbox.size(), outbox.sent(), outbox.unsent()) == (len(kept), sent, len(kept) - sent)
            assert outbox.copy(0, len(kept)) == kept


@given(st.lists(st.tuples(st.sampled_from(["write", "take", "piece", "clear"]), st.integers(0, 700_000)), max_size=12))
def test_much_that_is_unsent_comes_out_as_it_went_in(steps: list[tuple[str, int]]) -> None:
    for module in FORMS:
        outbox = module.Outbox(False)
        unsent, gone, serial = b"", 0, 0
        for step, number in steps:
            if step == "write":
                data = (bytes([serial % 251]) + bytes(range(250))) * (number // 251 + 1)
                serial += 1
                outbox.append(data, 1, len(data))
                outbox.write(data[:1])
                unsent += data[1:] + data[:1]
            elif step == "take":
                assert outbox.take() == unsent
                gone, unsent = gone + len(unsent), b""
            elif step == "piece":
                piece = outbox.take_piece()
                assert piece == unsent[:262_144]
                gone, unsent = gone + len(piece), unsent[len(piece) :]
            else:
                outbox.clear()
                unsent = b""
            assert (outbox.unsent(), outbox.size(), outbox.gone) == (len(unsent), len(unsent), gone)
