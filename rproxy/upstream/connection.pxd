cimport cython

from rproxy.metrics.counters cimport CommandStats
from rproxy.resp.wire cimport ReplyScanner
from rproxy.transport.connection cimport Connection
from rproxy.transport.outbox cimport Outbox
from rproxy.upstream.in_flight cimport InFlight
from rproxy.upstream.sink cimport Sink


cdef class UpstreamConnection(Connection):
    cdef readonly object pool
    cdef readonly Py_ssize_t lane
    cdef readonly InFlight in_flight
    cdef readonly ReplyScanner replies
    cdef readonly object slow_log
    cdef public bint is_open
    cdef public bint was_open
    cdef public double silent_since
    cpdef object send(
        self, object chunk, Py_ssize_t start, Py_ssize_t end, Sink sink, long long token, CommandStats stats, int slot, bint is_read
    )
    cpdef object enlist(
        self, Sink sink, long long token, CommandStats stats, Py_ssize_t size, double started, int slot, bint is_read, int hops,
        int replies
    )
    @cython.locals(
        replies=ReplyScanner, flight=InFlight, outbox=Outbox, now=cython.double, slow_after=cython.double, seconds=cython.double, position=cython.Py_ssize_t,
        size=cython.Py_ssize_t, first=cython.int, rest=cython.int,
    )
    cpdef Py_ssize_t on_bytes(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -1
    cdef bint _absorb(self, int rest, object chunk, Py_ssize_t start, Py_ssize_t size) except -1
    @cython.locals(flight=InFlight)
    cdef bint _redirect(self, object chunk, Py_ssize_t start, Py_ssize_t size) except -1


cdef int _ERROR
cdef int _PUSH
cdef double _NEVER
