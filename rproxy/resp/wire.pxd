from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_CheckExact
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact

from rproxy.resp.name_index cimport NameIndex


cdef inline const unsigned char *data_of(object chunk) except NULL:
    """The bytes of a ``bytes`` or ``bytearray``."""
    if PyByteArray_CheckExact(chunk):
        return <const unsigned char *> PyByteArray_AS_STRING(chunk)
    if PyBytes_CheckExact(chunk):
        return <const unsigned char *> PyBytes_AS_STRING(chunk)
    raise TypeError(f"a chunk is bytes or bytearray, not {type(chunk).__name__}")


cdef struct Span:
    Py_ssize_t start
    Py_ssize_t end


cdef class RequestScanner:
    cdef readonly object chunk
    cdef readonly Py_ssize_t base
    cdef readonly Py_ssize_t size
    cdef readonly Py_ssize_t consumed
    cdef readonly Py_ssize_t argc
    cdef readonly Py_ssize_t needed
    cdef readonly bytes error
    cdef public Py_ssize_t max_arguments
    cdef public Py_ssize_t max_argument_size
    cdef public Py_ssize_t max_inline_size
    cdef public bint is_trusted
    cdef Span *_spans
    cdef Py_ssize_t _capacity
    cdef Py_ssize_t _expected
    cdef Py_ssize_t _offset
    cdef Py_ssize_t _bulk
    cdef bint _is_regular
    cdef bint _is_done
    cpdef int next(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -2
    cpdef object restart(self)
    cpdef Py_ssize_t missing(self)
    cpdef bytes arg(self, Py_ssize_t index)
    cpdef list args(self)
    cpdef int slot(self, Py_ssize_t index) except -1
    cpdef int common_slot(self, Py_ssize_t first, Py_ssize_t last, Py_ssize_t step) except -2
    cpdef object find(self, NameIndex index)
    cpdef Py_ssize_t raw_start(self, Py_ssize_t index) except -1
    cpdef Py_ssize_t raw_end(self, Py_ssize_t index) except -1
    cdef int _scan_array(self, const unsigned char *p, Py_ssize_t n) except -2
    cdef int _scan_inline(self, const unsigned char *p, Py_ssize_t n) except -2
    cdef int _adopt(self, list arguments) except -2
    cdef int _fail(self, bytes error) except -2
    cdef int _grow(self) except -1


cdef class ReplyScanner:
    cdef readonly int first
    cdef readonly Py_ssize_t needed
    cdef public Py_ssize_t max_size
    cdef Py_ssize_t _offset
    cdef long long _pending
    cdef Py_ssize_t _rest
    cpdef Py_ssize_t pour(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -2
    cdef Py_ssize_t _pour_bulk(self, const unsigned char *p, Py_ssize_t position, Py_ssize_t end) noexcept
    cpdef Py_ssize_t next(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -2
    cpdef bint is_mid_reply(self)
