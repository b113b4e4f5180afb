from rproxy.dispatch.fragments cimport Fragments
from rproxy.dispatch.session cimport Session
from rproxy.metrics.counters cimport CommandStats
from rproxy.transport.connection cimport Turn
from rproxy.upstream.sink cimport Sink


cdef struct Element:
    Py_ssize_t start
    Py_ssize_t end


cdef class SplitReply(Sink):
    cdef Fragments _fragments
    cdef object _policy
    cdef int _kind
    cdef Sink _sink
    cdef long long _token
    cdef CommandStats _stats
    cdef Turn _turn
    cdef Session _session
    cdef double _started
    cdef Py_ssize_t _missing
    cdef bytes _error
    cdef Py_ssize_t _failed
    cdef long long _sum
    cdef Element *_elements
    cdef unsigned char *_held
    cdef Py_ssize_t _capacity
    cdef Py_ssize_t _size
    cpdef Sink deliver(self, long long token, object chunk, Py_ssize_t start, Py_ssize_t end)
    cdef bint _take(self, Py_ssize_t fragment, object chunk, Py_ssize_t start, Py_ssize_t end) except -1
    cdef bint _take_elements(self, Py_ssize_t fragment, object chunk, Py_ssize_t start, Py_ssize_t end) except -1
    cdef int _hold(self, Py_ssize_t key, const unsigned char *data, Py_ssize_t size) except -1
    cdef bytes _assemble(self)
