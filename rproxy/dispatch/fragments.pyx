"""How a command is cut: the compiled form of ``fragments.py``, which documents the behaviour.

Slots are so few that a table of all of them, stamped by whoever used it last, groups keys without hashing.
"""

from libc.stdlib cimport free, malloc

from rproxy.commands.spec cimport CommandSpec
from rproxy.resp.wire cimport RequestScanner

cdef enum:
    SLOTS = 16384
    ARRAYS = 5

cdef unsigned long long STAMPS[SLOTS]
cdef int FRAGMENTS[SLOTS]
cdef unsigned long long STAMP = 0


cdef class Fragments:
    """Linked lists of keys in plain arrays. See ``fragments.py``."""

    def __init__(self, CommandSpec spec, RequestScanner scanner):
        global STAMP
        cdef Py_ssize_t position = spec.first_key, last = spec.last_key_of(scanner.argc), step = spec.key_step
        cdef Py_ssize_t key = 0, most = (last - position) // step + 1
        cdef int slot, fragment
        if self._memory != NULL or most < 0:
            raise ValueError("fragments are made once, of one key or more")
        self._memory = <int *> malloc(ARRAYS * most * sizeof(int))
        if self._memory == NULL:
            raise MemoryError
        self._slots = self._memory
        self._sizes = self._slots + most
        self._firsts = self._sizes + most
        self._lasts = self._firsts + most
        self._next = self._lasts + most
        STAMP += 1
        while position <= last:
            slot = scanner.slot(position)
            self._next[key] = -1
            if STAMPS[slot] == STAMP:
                fragment = FRAGMENTS[slot]
                self._next[self._lasts[fragment]] = <int> key
                self._sizes[fragment] += 1
            else:
                STAMPS[slot] = STAMP
                fragment = FRAGMENTS[slot] = <int> self.count
                self.count += 1
                self._slots[fragment] = slot
                self._sizes[fragment] = 1
                self._firsts[fragment] = <int> key
            self._lasts[fragment] = <int> key
            key += 1
            position += step
        self.keys = key

    def __dealloc__(self):
        free(self._memory)

    cpdef int slot(self, Py_ssize_t fragment) except -1:
        if not 0 <= fragment < self.count:
            raise IndexError(fragment)
        return self._slots[fragment]

    cpdef Py_ssize_t size(self, Py_ssize_t fragment) except -1:
        if not 0 <= fragment < self.count:
            raise IndexError(fragment)
        return self._sizes[fragment]

    cpdef Py_ssize_t first(self, Py_ssize_t fragment) except -1:
        if not 0 <= fragment < self.count:
            raise IndexError(fragment)
        return self._firsts[fragment]

    cpdef Py_ssize_t next(self, Py_ssize_t key) except -2:
        if not 0 <= key < self.keys:
            raise IndexError(key)
        return self._next[key]
