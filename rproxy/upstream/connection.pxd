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
    cdef readonly bint is_busy
    cdef readonly bint is_relaying
    cdef readonly bint is_stalled
    cdef public double stalled_at
    cdef readonly double heard_at
    cdef object _doubts
    cdef Sink _blocking
    cdef Sink _relayed_to
    cdef long long _relayed_token
    cdef CommandStats _relayed_stats
    cdef double _relayed_since
    cdef double _stalled_for
    cpdef object send(
        self, object chunk, Py_ssize_t start, Py_ssize_t end, Sink sink, long long token, CommandStats stats, int slot, bint is_read
    )
    cpdef object enlist(
        self, Sink sink, long long token, CommandStats stats, Py_ssize_t size, double started, int slot, bint is_read, int hops,
        int replies
    )
    @cython.locals(
        replies=ReplyScanner, flight=InFlight, outbox=Outbox, now=cython.double, slow_after=cython.double, seconds=cython.double, position=cython.Py_ssize_t,
        size=cython.Py_ssize_t, first=cython.int, rest=cython.int, full=Sink,
    )
    cdef Py_ssize_t _deliver_all(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -1
    cpdef Py_ssize_t on_bytes(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -1
    cdef Py_ssize_t _on_part(self, Py_ssize_t size, object chunk, Py_ssize_t start, Py_ssize_t end) except -1
    @cython.locals(flight=InFlight, sink=Sink, way=cython.int, now=cython.double)
    cdef Py_ssize_t _begin_large(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -1
    cdef Py_ssize_t _carry_on(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -1
    @cython.locals(size=cython.Py_ssize_t, is_last=cython.bint, sink=Sink, full=Sink, now=cython.double)
    cdef Py_ssize_t _relay(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -1
    cdef Py_ssize_t _stall(self, Sink sink, Py_ssize_t position) except -1
    cdef bint _absorb(self, int rest, object chunk, Py_ssize_t start, Py_ssize_t size) except -1
    @cython.locals(flight=InFlight)
    cdef bint _redirect(self, object chunk, Py_ssize_t start, Py_ssize_t size) except -1


cdef int _ERROR
cdef int _PUSH
cdef double _NEVER
cdef Py_ssize_t _LARGE
cdef double _NEIGHBOURS_WAIT
