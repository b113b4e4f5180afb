from rproxy.metrics.counters cimport CommandStats
from rproxy.upstream.sink cimport Sink


cdef struct Entry:
    void *sink
    void *stats
    long long token
    Py_ssize_t size
    double started
    int slot
    short hops
    bint is_read
    int replies


cdef class InFlight:
    cdef Entry *_ring
    cdef Py_ssize_t _mask
    cdef Py_ssize_t _head
    cdef Py_ssize_t _tail
    cdef int _answered
    cdef readonly Sink sink
    cdef readonly CommandStats stats
    cdef readonly long long token
    cdef readonly Py_ssize_t size
    cdef readonly double started
    cdef readonly int slot
    cdef readonly int hops
    cdef readonly bint is_read
    cdef readonly int replies
    cpdef Py_ssize_t count(self) noexcept
    cpdef object push(
        self, Sink sink, long long token, CommandStats stats, Py_ssize_t size, double started, int slot, bint is_read,
        int hops, int replies
    )
    cpdef int answer(self) except -2
    cpdef bint pop(self) except -1
    cpdef Sink peek(self)
    cpdef set affinities(self)
    cpdef bint has_affinity(self, Py_ssize_t affinity) except -1
    cpdef object postpone(self, double since, double until)
    cpdef bint has_slot(self, int slot) noexcept
    cpdef set slots(self)
    cpdef list expire(self, double before)
    cdef int _grow(self) except -1
