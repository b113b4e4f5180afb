from rproxy.dispatch.session cimport Session
from rproxy.downstream.reply_queue cimport ReplyQueue
from rproxy.transport.connection cimport Connection


cdef class ThrottledConnection(Connection):
    cdef readonly object listener
    cdef readonly Session session
    cdef readonly ReplyQueue replies
    cdef readonly bint is_throttled
    cdef readonly bint is_finishing
    cdef bint _is_resuming
    cdef object _settling
    cdef list _pushes
    cdef Py_ssize_t _output_limit
    cdef Py_ssize_t _pause_at
    cdef Py_ssize_t _window
    cdef Py_ssize_t _max_in_flight
    cdef Py_ssize_t _reply_size
    cdef long long _look_at
    cdef long long _seen_passed
    cdef long long _seen_answered
    cdef long long _progress
    cdef double _progress_at
    cpdef Py_ssize_t unsent(self) except -1
    cdef Py_ssize_t _room(self) except? -1
