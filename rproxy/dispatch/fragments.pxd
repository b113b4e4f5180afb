from rproxy.commands.spec cimport CommandSpec
from rproxy.resp.wire cimport RequestScanner


cdef class Fragments:
    cdef readonly Py_ssize_t count
    cdef readonly Py_ssize_t keys
    cdef int *_memory
    cdef int *_slots
    cdef int *_sizes
    cdef int *_firsts
    cdef int *_lasts
    cdef int *_next
    cpdef int slot(self, Py_ssize_t fragment) except -1
    cpdef Py_ssize_t size(self, Py_ssize_t fragment) except -1
    cpdef Py_ssize_t first(self, Py_ssize_t fragment) except -1
    cpdef Py_ssize_t next(self, Py_ssize_t key) except -2
