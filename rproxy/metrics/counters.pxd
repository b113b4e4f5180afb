cdef enum:
    BUCKET_COUNT = 17


cdef class CommandStats:
    cdef public long long success
    cdef public long long error
    cdef public double seconds
    cdef long long _counts[BUCKET_COUNT]
    cpdef object record(self, bint is_error, double seconds)
