"""Counters of the data path in C integers: the compiled form of ``counters.py``, which documents the behaviour."""

BUCKETS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

cdef double BOUNDS[BUCKET_COUNT - 1]
BOUNDS[:] = BUCKETS


cdef class CommandStats:
    """See ``counters.py``."""

    cpdef object record(self, bint is_error, double seconds):
        cdef int index = 0
        if is_error:
            self.error += 1
        else:
            self.success += 1
        self.seconds += seconds
        while index < BUCKET_COUNT - 1 and seconds > BOUNDS[index]:
            index += 1
        self._counts[index] += 1

    @property
    def counts(self):
        return [self._counts[index] for index in range(BUCKET_COUNT)]
