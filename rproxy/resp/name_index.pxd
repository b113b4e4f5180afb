cdef class NameIndex:
    cdef unsigned char *_names
    cdef list _values
    cdef Py_ssize_t _mask
    cdef Py_ssize_t _count
    cdef Py_ssize_t _seat(self, const unsigned char *folded) noexcept
    cpdef object put(self, bytes name, object value)
    cpdef object get(self, bytes name)
    cdef object find(self, const unsigned char *name, Py_ssize_t size)
