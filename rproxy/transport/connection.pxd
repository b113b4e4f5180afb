cimport cython

from rproxy.transport.outbox cimport Outbox


cdef class Traffic:
    cdef public long long opened
    cdef public long long active
    cdef public long long failed
    cdef public long long received_bytes
    cdef public long long sent_bytes


cdef class Transport:
    cpdef object flush(self, Connection connection)
    cpdef Py_ssize_t send_now(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -1
    cpdef Py_ssize_t backlog(self) except -1
    cpdef object pause_reading(self)
    cpdef object resume_reading(self)
    cpdef object close(self)


cdef class Turn:
    cdef public double now
    cdef public bint is_running
    cdef readonly object loop
    cdef list _upstream
    cdef list _downstream
    cpdef double tick(self) except -1
    cpdef object mark(self, Connection connection)
    @cython.locals(connection=Connection, marked=list, index=cython.Py_ssize_t)
    cpdef object finish(self)


cdef class Connection:
    cdef public Turn turn
    cdef public Outbox outbox
    cdef public Transport transport
    cdef public Traffic traffic
    cdef public bytearray inbox
    cdef public Py_ssize_t filled
    cdef public bint is_dirty
    cdef readonly bint is_upstream
    cdef public bint awaits_sent
    cpdef object receive(self, object chunk, Py_ssize_t end)
    cpdef Py_ssize_t on_bytes(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -1
    cpdef object on_eof(self)
    cpdef object on_lost(self, str reason)
    cpdef object on_sent(self)
    cpdef object on_delivered(self)
    cpdef object on_full(self)
    cpdef object give_up(self, str reason)
    cpdef object go_on(self)
