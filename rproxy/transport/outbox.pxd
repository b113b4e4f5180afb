cdef struct Block:
    Block *next
    unsigned char *data
    Py_ssize_t size


cdef class Outbox:
    cdef unsigned char *_data
    cdef Py_ssize_t _capacity
    cdef Py_ssize_t _head
    cdef Py_ssize_t _sent
    cdef Py_ssize_t _tail
    cdef Block *_chain
    cdef Block *_chain_end
    cdef Py_ssize_t _chained
    cdef readonly bint retains
    cdef public long long gone
    cpdef object append(self, object chunk, Py_ssize_t start, Py_ssize_t end)
    cpdef object write(self, bytes data)
    cdef int push(self, const unsigned char *data, Py_ssize_t size) except -1
    cpdef Py_ssize_t unsent(self) noexcept
    cpdef Py_ssize_t sent(self) noexcept
    cpdef Py_ssize_t size(self) noexcept
    cpdef bytes take(self)
    cpdef bytes take_piece(self)
    cpdef bint release(self, Py_ssize_t size) except -1
    cpdef bytes copy(self, Py_ssize_t offset, Py_ssize_t size)
    cpdef object clear(self)
    cdef void mark_sent(self, Py_ssize_t size) noexcept
    cdef void _reset(self) noexcept
    cdef int _reserve(self, Py_ssize_t size) except -1
    cdef int _link(self, const unsigned char *data, Py_ssize_t size) except -1
    cdef void _unlink(self) noexcept
    cdef bytes _take(self, Py_ssize_t size)
