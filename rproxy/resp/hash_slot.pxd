cdef int slot_of(const unsigned char *key, Py_ssize_t size) noexcept nogil
cpdef int hash_slot(bytes key) except -1
