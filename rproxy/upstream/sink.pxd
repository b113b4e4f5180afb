from rproxy.transport.connection cimport Connection


cdef class Sink:
    cpdef Sink deliver(self, long long token, object chunk, Py_ssize_t start, Py_ssize_t end)
    cpdef int takes(self, long long token, Py_ssize_t size) except -1
    cpdef Sink relay(self, long long token, object chunk, Py_ssize_t start, Py_ssize_t end, bint is_last)
    cpdef object await_room(self, Connection feeder)
    cpdef object give_up(self, str reason)
    cpdef Py_ssize_t affinity(self) except? -2
    cpdef object absorb(self, long long token, bytes line)
    cpdef bytes cause(self, bytes line)

