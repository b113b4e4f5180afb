cimport cython

from rproxy.dispatch.dispatcher cimport Dispatcher
from rproxy.dispatch.session cimport Session
from rproxy.downstream.reply_queue cimport ReplyQueue
from rproxy.resp.wire cimport RequestScanner
from rproxy.transport.connection cimport Connection


cdef class DownstreamConnection(Connection):
    cdef readonly object listener
    cdef readonly Session session
    cdef readonly ReplyQueue replies
    cdef readonly bint is_throttled
    cdef bint _is_resuming
    cdef readonly bint is_finishing
    cdef readonly double heard_at
    cdef Dispatcher _dispatcher
    cdef RequestScanner _scanner
    cdef object _settling
    cdef RequestScanner _strict_scanner
    @cython.locals(
        scanner=RequestScanner,
        position=cython.Py_ssize_t,
        room=cython.Py_ssize_t,
        share=cython.Py_ssize_t,
        cost=cython.Py_ssize_t,
        status=cython.int,
    )
    cpdef Py_ssize_t on_bytes(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -1
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
    cdef list _pushes
    cdef object _upload
    cpdef Py_ssize_t unsent(self) except -1
    cdef Py_ssize_t _room(self) except? -1
    cdef Py_ssize_t _go_on_with(self, Py_ssize_t share) except -1
    cdef Py_ssize_t _on_part(self, RequestScanner scanner, object chunk, Py_ssize_t start, Py_ssize_t end) except -1
    @cython.locals(unsent=cython.Py_ssize_t)
    cdef bint _waits(self, Py_ssize_t size) except -1
    cdef Py_ssize_t _interrupt(self, Py_ssize_t position, Py_ssize_t end) except -1


cdef Py_ssize_t _SHARE
cdef int _COMMAND
cdef int _NEED_MORE
cdef int _MALFORMED
cdef Py_ssize_t _LARGE
