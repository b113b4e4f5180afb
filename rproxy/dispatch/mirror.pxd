cimport cython

from rproxy.commands.spec cimport CommandSpec
from rproxy.upstream.cluster cimport Cluster
from rproxy.upstream.connection cimport UpstreamConnection


cdef class Mirror:
    cdef readonly Cluster cluster
    cdef readonly object rule
    cdef readonly object draw
    cdef readonly Py_ssize_t queue_limit
    cdef public long long sent
    cdef public long long dropped
    cpdef bint wants(self, CommandSpec spec) except -1
    cdef UpstreamConnection _connection(self, int slot, Py_ssize_t size)
    @cython.locals(connection=UpstreamConnection)
    cpdef object copy(self, CommandSpec spec, object chunk, Py_ssize_t start, Py_ssize_t end, int slot)
