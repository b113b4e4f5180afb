cimport cython

from rproxy.upstream.pool cimport Pool


cdef class ShardPools:
    cdef readonly object shard
    cdef readonly Pool writer
    cdef readonly Pool reader
    cdef tuple _tiers
    cdef Py_ssize_t _turn
    @cython.locals(tier=tuple, step=cython.Py_ssize_t, pool=Pool, unhealthy=Pool)
    cpdef Pool choose_reader(self)
