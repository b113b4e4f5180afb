cdef class Sink:
    cpdef object deliver(self, long long token, object chunk, Py_ssize_t start, Py_ssize_t end)
