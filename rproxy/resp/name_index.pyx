"""Values by command name: the compiled form of ``name_index.py``, which documents the behaviour."""

from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

cdef enum:
    NAME_WIDTH = 32
    SEATS = 2048


cdef inline bint fold(unsigned char *folded, const unsigned char *name, Py_ssize_t size) noexcept:
    """The name in capitals, filled up with NUL bytes; false for one that has a NUL byte itself, which none does."""
    cdef Py_ssize_t i
    cdef unsigned char c
    memset(folded, 0, NAME_WIDTH)
    for i in range(size):
        c = name[i]
        if c == 0:
            return False
        folded[i] = c - 32 if c'a' <= c <= c'z' else c
    return True


cdef class NameIndex:
    """Values by name, whatever the name's case; open addressing over fixed-width folded names."""

    def __cinit__(self):
        self._mask = SEATS - 1
        self._names = <unsigned char *> malloc((self._mask + 1) * NAME_WIDTH)
        if self._names == NULL:
            raise MemoryError
        memset(self._names, 0, (self._mask + 1) * NAME_WIDTH)
        self._values = [None] * (self._mask + 1)
        self._count = 0

    def __dealloc__(self):
        free(self._names)

    cdef Py_ssize_t _seat(self, const unsigned char *folded) noexcept:
        cdef unsigned long long word, mix = 0
        cdef Py_ssize_t i, seat
        for i in range(NAME_WIDTH // 8):
            memcpy(&word, folded + i * 8, 8)
            mix = (mix ^ word) * 0x9E3779B97F4A7C15ULL
            mix ^= mix >> 29
        seat = <Py_ssize_t> (mix & <unsigned long long> self._mask)
        while self._names[seat * NAME_WIDTH] and memcmp(self._names + seat * NAME_WIDTH, folded, NAME_WIDTH):
            seat = (seat + 1) & self._mask
        return seat

    cpdef object put(self, bytes name, object value):
        cdef unsigned char folded[NAME_WIDTH]
        cdef Py_ssize_t seat
        if not 0 < len(name) <= NAME_WIDTH:
            raise ValueError(f"a name has 1 to {NAME_WIDTH} bytes")
        if not fold(folded, name, len(name)):
            raise ValueError("a name has no NUL byte")
        if self._count * 2 > self._mask:
            raise ValueError("the index is full")
        seat = self._seat(folded)
        self._count += self._names[seat * NAME_WIDTH] == 0
        memcpy(self._names + seat * NAME_WIDTH, folded, NAME_WIDTH)
        self._values[seat] = value

    cdef object find(self, const unsigned char *name, Py_ssize_t size):
        cdef unsigned char folded[NAME_WIDTH]
        if not 0 < size <= NAME_WIDTH or not fold(folded, name, size):
            return None
        return self._values[self._seat(folded)]

    cpdef object get(self, bytes name):
        return self.find(name, len(name))
