cdef class CommandSpec:
    cdef readonly bytes name
    cdef readonly int arity
    cdef readonly Py_ssize_t least
    cdef readonly Py_ssize_t most
    cdef readonly object access
    cdef readonly int plan
    cdef readonly int first_key
    cdef readonly int last_key
    cdef readonly int key_step
    cdef readonly object find_keys
    cdef readonly object request_policy
    cdef readonly object response_policy
    cdef readonly object transaction
    cdef readonly object refusal
    cdef readonly object flags
    cdef readonly dict subcommands
    cdef public int index
    cdef readonly bint has_fixed_keys
    cdef readonly bint is_plain
    cdef readonly bint is_read
    cdef readonly bint is_split
    cdef readonly bint is_write
    cpdef bint accepts(self, Py_ssize_t argument_count) except -1
    cpdef Py_ssize_t last_key_of(self, Py_ssize_t argument_count) except -1
