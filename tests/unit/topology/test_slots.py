import pytest
from crcmod.predefined import mkPredefinedCrcFun
from hypothesis import example, given
from hypothesis import strategies as st

from rproxy.topology.slots import SLOT_COUNT, hash_slot, key_hash_part

crc16 = mkPredefinedCrcFun("xmodem")
"""An implementation that shares no code with rproxy's."""


@pytest.mark.parametrize(
    ("key", "part"),
    [
        (b"", b""),
        (b"user1000", b"user1000"),
        (b"{user1000}.following", b"user1000"),
        (b"{user1000}.followers", b"user1000"),
        (b"foo{}{bar}", b"foo{}{bar}"),
        (b"foo{{bar}}zap", b"{bar"),
        (b"foo{bar}{zap}", b"bar"),
        (b"foo{bar", b"foo{bar"),
        (b"foo}bar{", b"foo}bar{"),
        (b"a}b{c}d", b"c"),
        (b"{}", b"{}"),
        (b"{", b"{"),
        (b"{\x00\xff}", b"\x00\xff"),
    ],
)
def test_the_hash_tag_of_the_cluster_specification(key: bytes, part: bytes) -> None:
    assert key_hash_part(key) == part
    assert hash_slot(key) == crc16(part) % SLOT_COUNT


@pytest.mark.parametrize(
    ("key", "slot"), [(b"123456789", 0x31C3), (b"", 0), (b"foo", 12182), (b"bar", 5061), (b"hello", 866)]
)
def test_known_slots(key: bytes, slot: int) -> None:
    assert hash_slot(key) == slot


@given(st.binary(max_size=300))
@example(b"{}" * 5)
def test_any_key_against_an_independent_crc(key: bytes) -> None:
    assert hash_slot(key) == crc16(key_hash_part(key)) % SLOT_COUNT


@given(st.binary(max_size=20).filter(lambda tag: b"}" not in tag and tag), st.binary(), st.binary())
def test_keys_of_one_tag_share_a_slot(tag: bytes, before: bytes, after: bytes) -> None:
    before = before.replace(b"{", b"")
    assert hash_slot(before + b"{" + tag + b"}" + after) == hash_slot(b"{" + tag + b"}")
