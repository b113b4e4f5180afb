cdef class Session:
    cdef readonly long long id
    cdef readonly Py_ssize_t affinity
    cdef readonly int protocol
    cdef readonly str address
    cdef readonly str local_address
    cdef readonly double created
    cdef public bint is_plain
    cdef public bint is_quitting
    cdef public bytes name
    cdef public bytes library_name
    cdef public bytes library_version
    cpdef object speak(self, int protocol)
