cimport cython

from rproxy.dispatch.dispatcher cimport Dispatcher
from rproxy.dispatch.session cimport Session
from rproxy.downstream.reply_queue cimport ReplyQueue
from rproxy.downstream.throttle cimport ThrottledConnection
from rproxy.resp.wire cimport RequestScanner


cdef class DownstreamConnection(ThrottledConnection):
    cdef readonly double heard_at
    cdef Dispatcher _dispatcher
    cdef RequestScanner _scanner
    cdef RequestScanner _strict_scanner
    cdef object _upload
    @cython.locals(
        scanner=RequestScanner,
        position=cython.Py_ssize_t,
        room=cython.Py_ssize_t,
        share=cython.Py_ssize_t,
        cost=cython.Py_ssize_t,
        status=cython.int,
    )
    cpdef Py_ssize_t on_bytes(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -1
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
