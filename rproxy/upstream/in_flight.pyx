"""The requests in flight on one connection: the compiled form of ``in_flight.py``, which documents the behaviour."""

from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from libc.stdlib cimport free, malloc

from rproxy.metrics.counters cimport CommandStats
from rproxy.upstream.sink cimport Sink

from rproxy.upstream.sink import DISCARD

cdef enum:
    FIRST_CAPACITY = 64


cdef class InFlight:
    """A ring of plain structures that own a reference to their sink and their stats. See ``in_flight.py``."""

    def __init__(self):
        self.sink = DISCARD
        self.replies = 1

    def __dealloc__(self):
        cdef Entry *entry
        while self._head != self._tail:
            entry = &self._ring[self._head & self._mask]
            self._head += 1
            Py_DECREF(<object> entry.sink)
            Py_DECREF(<object> entry.stats)
        free(self._ring)

    cpdef Py_ssize_t count(self) noexcept:
        return self._tail - self._head

    cdef int _grow(self) except -1:
        cdef Py_ssize_t capacity = (self._mask + 1) * 2 if self._ring != NULL else FIRST_CAPACITY
        cdef Entry *ring = <Entry *> malloc(capacity * sizeof(Entry))
        cdef Py_ssize_t index, count = self._tail - self._head
        if ring == NULL:
            raise MemoryError
        for index in range(count):
            ring[index] = self._ring[(self._head + index) & self._mask]
        free(self._ring)
        self._ring = ring
        self._mask = capacity - 1
        self._head = 0
        self._tail = count
        return 0

    cpdef object push(
        self, Sink sink, long long token, CommandStats stats, Py_ssize_t size, double started, int slot, bint is_read,
        int hops, int replies
    ):
        cdef Entry *entry
        if self._ring == NULL or self._tail - self._head > self._mask:
            self._grow()
        entry = &self._ring[self._tail & self._mask]
        self._tail += 1
        Py_INCREF(sink)
        Py_INCREF(stats)
        entry.sink = <void *> sink
        entry.stats = <void *> stats
        entry.token = token
        entry.size = size
        entry.started = started
        entry.slot = slot
        entry.is_read = is_read
        entry.hops = hops
        entry.replies = replies

    cpdef int answer(self) except -2:
        cdef Entry *entry
        if self._head == self._tail:
            return -1
        entry = &self._ring[self._head & self._mask]
        if entry.replies > 1 and self._answered + 1 < entry.replies:
            self._answered += 1
            self.sink = <Sink> entry.sink
            self.token = entry.token
            return entry.replies - self._answered
        self.pop()
        return 0

    cpdef bint pop(self) except -1:
        cdef Entry *entry
        if self._head == self._tail:
            return False
        entry = &self._ring[self._head & self._mask]
        self._head += 1
        self._answered = 0
        self.sink = <Sink> entry.sink
        self.stats = <CommandStats> entry.stats
        Py_DECREF(<object> entry.sink)
        Py_DECREF(<object> entry.stats)
        self.token = entry.token
        self.size = entry.size
        self.started = entry.started
        self.slot = entry.slot
        self.is_read = entry.is_read
        self.hops = entry.hops
        self.replies = entry.replies
        return True

    cpdef Sink peek(self):
        cdef Entry *entry
        if self._head == self._tail:
            return None
        entry = &self._ring[self._head & self._mask]
        if entry.replies > 1:
            return None
        self.token = entry.token
        return <Sink> entry.sink

    cpdef set affinities(self):
        cdef Py_ssize_t position
        cdef set found = set()
        for position in range(self._head, self._tail):
            found.add((<Sink> self._ring[position & self._mask].sink).affinity())
        found.discard(-1)
        return found

    cpdef bint has_affinity(self, Py_ssize_t affinity) except -1:
        cdef Py_ssize_t position
        for position in range(self._tail - 1, self._head - 1, -1):
            if (<Sink> self._ring[position & self._mask].sink).affinity() == affinity:
                return True
        return False

    cpdef object postpone(self, double since, double until):
        cdef Py_ssize_t position
        cdef Entry *entry
        for position in range(self._head, self._tail):
            entry = &self._ring[position & self._mask]
            entry.started = min(entry.started + until - since, until)

    cpdef bint has_slot(self, int slot) noexcept:
        cdef Py_ssize_t position
        for position in range(self._head, self._tail):
            if self._ring[position & self._mask].slot == slot:
                return True
        return False

    cpdef set slots(self):
        cdef set found = set()
        cdef Py_ssize_t position
        for position in range(self._head, self._tail):
            found.add(self._ring[position & self._mask].slot)
        return found

    cpdef list expire(self, double before):
        cdef list expired = []
        cdef Py_ssize_t position
        cdef long long token
        cdef Entry *entry
        cdef Sink sink
        cdef CommandStats stats
        for position in range(self._head, self._tail):
            entry = &self._ring[position & self._mask]
            if entry.started >= before or entry.sink == <void *> DISCARD:
                continue
            sink = <Sink> entry.sink
            stats = <CommandStats> entry.stats
            token = entry.token
            Py_INCREF(DISCARD)
            Py_INCREF(None)
            entry.sink = <void *> DISCARD
            entry.stats = <void *> None
            Py_DECREF(sink)
            Py_DECREF(stats)
            expired.append((sink, token, stats))  # may run a finalizer, so that ``entry`` may be no more
        return expired
