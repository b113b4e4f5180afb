from rproxy.transport.connection cimport Connection
from rproxy.upstream.sink cimport Sink


cdef enum:
    INLINE_SIZE = 52

cdef struct Place:
    Py_ssize_t size
    unsigned char *kept
    unsigned char inline[INLINE_SIZE]


cdef class ReplyQueue(Sink):
    cdef readonly Connection connection
    cdef readonly Py_ssize_t held
    cdef public bint is_watched
    cdef readonly bint is_closed
    cdef readonly Py_ssize_t begun
    cdef public list feeders
    cdef public Py_ssize_t most
    cdef readonly Py_ssize_t reserved
    cdef dict _reservations
    cdef long long _stopped_at
    cdef long long _head
    cdef long long _tail
    cdef Place *_places
    cdef long long _mask
    cpdef long long open(self) except -1
    cpdef Py_ssize_t pending(self) noexcept
    cpdef long long answered(self) noexcept
    cpdef Sink deliver(self, long long token, object chunk, Py_ssize_t start, Py_ssize_t end)
    cpdef object close(self)
    cdef int _keep(self, long long token, const unsigned char *reply, Py_ssize_t size) except -1
    cdef Py_ssize_t _send_now(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -1
    cdef object _reserve(self)
    cdef bint _has_room(self, long long token) except -1
    cdef Sink _is_full(self, long long token)
    cdef int _advance(self) except -1
    cdef int _make_places(self) except -1
    cdef void _free_places(self) noexcept
