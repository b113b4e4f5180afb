from rproxy.upstream.cluster cimport Cluster


cdef class BoundRoute:
    cdef readonly object rule
    cdef readonly Cluster cluster
    cdef readonly tuple mirrors
    cdef readonly bint is_direct
