"""The hash slot of a key (cluster specification, "Key distribution model"): CRC16/XMODEM modulo 16384."""

from __future__ import annotations

from binascii import crc_hqx

_SLOT_MASK = 16383


def hash_slot(key: bytes) -> int:
    """The hash slot, 0 to 16383, of ``key``; of its hash tag alone where it has one."""
    opening = key.find(b"{")
    if opening >= 0:
        closing = key.find(b"}", opening + 1)
        if closing > opening + 1:
            key = key[opening + 1 : closing]
    return crc_hqx(key, 0) & _SLOT_MASK
