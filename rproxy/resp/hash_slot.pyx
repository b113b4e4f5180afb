"""The hash slot of a key: the compiled form of ``hash_slot.py``, which documents the rule."""

from libc.stdint cimport uint16_t
from libc.string cimport memchr

cdef enum:
    SLOT_MASK = 16383

# CRC_TABLES[n][byte] is what byte adds to the checksum when n bytes follow it: four are looked up side by side.
cdef uint16_t[4][256] CRC_TABLES


cdef void fill_crc_tables() noexcept:
    cdef int byte, bit, following
    cdef unsigned int crc
    for byte in range(256):
        crc = <unsigned int> byte << 8
        for bit in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
        CRC_TABLES[0][byte] = crc & 0xFFFF
    for following in range(1, 4):
        for byte in range(256):
            crc = CRC_TABLES[following - 1][byte]
            CRC_TABLES[following][byte] = ((crc << 8) & 0xFFFF) ^ CRC_TABLES[0][crc >> 8]


fill_crc_tables()


cdef int slot_of(const unsigned char *key, Py_ssize_t size) noexcept nogil:
    cdef const unsigned char *opening = <const unsigned char *> memchr(key, c'{', size) if size else NULL
    cdef const unsigned char *closing
    cdef unsigned int crc = 0
    cdef Py_ssize_t i = 0
    if opening != NULL:
        closing = <const unsigned char *> memchr(opening + 1, c'}', size - (opening + 1 - key))
        if closing != NULL and closing != opening + 1:
            size = closing - opening - 1
            key = opening + 1
    while i + 4 <= size:
        crc = (
            CRC_TABLES[3][(crc >> 8) ^ key[i]]
            ^ CRC_TABLES[2][(crc & 0xFF) ^ key[i + 1]]
            ^ CRC_TABLES[1][key[i + 2]]
            ^ CRC_TABLES[0][key[i + 3]]
        )
        i += 4
    while i < size:
        crc = ((crc << 8) & 0xFFFF) ^ CRC_TABLES[0][(crc >> 8) ^ key[i]]
        i += 1
    return crc & SLOT_MASK


cpdef int hash_slot(bytes key) except -1:
    return slot_of(key, len(key))
