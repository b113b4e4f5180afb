cimport cython

from rproxy.transport.connection cimport Traffic, Turn
from rproxy.upstream.connection cimport UpstreamConnection


cdef class Pool:
    cdef readonly object cluster
    cdef readonly object endpoint
    cdef readonly bint is_readonly
    cdef readonly Turn turn
    cdef readonly Traffic traffic
    cdef readonly Py_ssize_t max_in_flight
    cdef list _connections
    cdef Py_ssize_t _size
    cdef dict _lanes
    cdef set _dials
    cdef double _down_until
    cdef int _failures
    cdef object _gate
    cdef bint _is_down
    cdef public str failure
    cdef readonly object state
    cdef public bint is_unhealthy
    cdef readonly object pins
    cdef double _close_at
    @cython.locals(connection=UpstreamConnection)
    cpdef UpstreamConnection pick(self, Py_ssize_t affinity)
    cpdef bint is_down(self) except -1
