cdef class Sink:
    cpdef object deliver(self, long long token, object chunk, Py_ssize_t start, Py_ssize_t end)
    cpdef object absorb(self, long long token, bytes line)
    cpdef bytes cause(self, bytes line)
