from rproxy.transport.connection cimport Connection, Transport, Turn


cdef class EpollTurn(Turn):
    cdef int _epoll
    cdef dict _transports
    cdef list _graveyard
    cdef list _deferred
    cdef bytearray buffer
    cpdef object attach(self, int fd, Connection connection)
    cpdef object run(self)
    cdef int _round(self, int ready) except -1


cdef class EpollTransport(Transport):
    cdef readonly int fd
    cdef readonly Connection connection
    cdef EpollTurn _turn
    cdef unsigned int _interest
    cdef int _set_interest(self, unsigned int interest) except -1
    cdef int _on_readable(self) except -1
    cdef int _on_event(self, unsigned int events) except -1
    cdef int _lose(self, int error) except -1
