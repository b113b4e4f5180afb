from rproxy.commands.spec cimport CommandSpec


cdef class Session:
    cdef readonly long long id
    cdef readonly Py_ssize_t affinity
    cdef readonly int protocol
    cdef readonly str address
    cdef readonly str local_address
    cdef readonly double created
    cdef readonly bint is_plain
    cdef readonly bint is_only_restricted
    cdef readonly bint is_held
    cdef readonly bint is_quitting
    cdef public bint is_interrupted
    cdef readonly object states
    cdef public object client
    cdef public int descriptor
    cdef public CommandSpec last_command
    cdef readonly set marks
    cdef public bint skips_reply
    cdef public Py_ssize_t load
    cdef public object user
    cdef public object subscriber
    cdef readonly set at_close
    cdef public object transaction
    cdef public object watch
    cdef public object unblock
    cdef public object suspend
    cdef public bytes name
    cdef public bytes library_name
    cdef public bytes library_version
    cpdef object speak(self, int protocol)
