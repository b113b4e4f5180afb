"""Sockets in an epoll set of our own, which the asyncio loop sees as one readable descriptor.

The loop wakes once for all sockets that are ready; they are then read in a tight loop into one shared buffer, and every
connection that has something to send is written once. No Python call, buffer or handle per event remains.
"""

import logging
import os

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from libc.errno cimport EAGAIN, EINTR
from libc.errno cimport errno as c_errno
from libc.time cimport time_t

from rproxy.resp.wire cimport data_of
from rproxy.transport.connection cimport Connection, Transport, Turn
from rproxy.transport.outbox cimport Outbox

cdef extern from "sys/epoll.h" nogil:
    ctypedef union epoll_data_t:
        void *ptr
        int fd
    cdef struct epoll_event:
        unsigned int events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int epfd, int op, int fd, epoll_event *event)
    int epoll_wait(int epfd, epoll_event *events, int maxevents, int timeout)
    enum: EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP

cdef extern from "sys/socket.h" nogil:
    Py_ssize_t recv(int fd, void *buffer, size_t size, int flags)
    Py_ssize_t send(int fd, const void *buffer, size_t size, int flags)
    enum: MSG_NOSIGNAL, MSG_DONTWAIT

cdef extern from "unistd.h" nogil:
    int close(int fd)

cdef extern from "time.h" nogil:
    cdef struct timespec:
        time_t tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec *time)
    enum: CLOCK_MONOTONIC

cdef enum:
    MAX_EVENTS = 512
    MAX_ROUNDS = 16
    BUFFER_SIZE = 131072

cdef epoll_event EVENTS[MAX_EVENTS]

log = logging.getLogger("rproxy.transport")


cdef inline double monotonic() noexcept nogil:
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec + time.tv_nsec * 1e-9


cdef class EpollTurn(Turn):
    """The turn of a worker whose sockets stand in its own epoll set."""

    def __init__(self, loop):
        Turn.__init__(self, loop)
        self._epoll = epoll_create1(EPOLL_CLOEXEC)
        if self._epoll < 0:
            raise OSError(c_errno, os.strerror(c_errno))
        self._transports = {}
        self._graveyard = []
        self.buffer = bytearray(BUFFER_SIZE)
        loop.add_reader(self._epoll, self.run)

    def stop(self):
        """Leave the loop and close every socket."""
        if self._epoll < 0:
            return
        self.loop.remove_reader(self._epoll)
        for transport in list(self._transports.values()):
            transport.close()
        self._graveyard.clear()
        close(self._epoll)
        self._epoll = -1

    cpdef object attach(self, int fd, Connection connection):
        """Own the open, non-blocking socket ``fd`` and serve ``connection`` with it, which is lost if that cannot be."""
        cdef EpollTransport transport = EpollTransport.__new__(EpollTransport)
        cdef epoll_event event
        event.events = transport._interest = EPOLLIN
        event.data.ptr = <void *> transport
        transport.fd = fd
        transport.connection = connection
        transport._turn = self
        if epoll_ctl(self._epoll, EPOLL_CTL_ADD, fd, &event) < 0:
            reason = os.strerror(c_errno)
            transport.fd = -1
            close(fd)
            connection.on_lost(reason)
            return
        self._transports[fd] = transport
        connection.transport = transport

    cpdef object run(self):
        """Work off what is ready, for a bounded number of rounds, then let the loop's other callbacks have their turn."""
        cdef int rounds = 0, ready = 0
        while rounds < MAX_ROUNDS:
            ready = epoll_wait(self._epoll, EVENTS, MAX_EVENTS, 0)
            if ready <= 0:
                break
            self._round(ready)
            rounds += 1

    cdef int _round(self, int ready) except -1:
        cdef int index
        cdef EpollTransport transport
        self.is_running = True
        self.now = monotonic()
        for index in range(ready):
            transport = <EpollTransport> EVENTS[index].data.ptr
            if transport.fd < 0:
                continue
            try:
                transport._on_event(EVENTS[index].events)
            except Exception:
                log.exception("a connection failed in an unforeseen way and is closed")
                transport._lose(0)
        self.finish()
        self._graveyard.clear()
        return 0


cdef class EpollTransport(Transport):
    """One socket of the set. The set holds a borrowed pointer: a closed transport lives until the round's end."""

    cdef int _set_interest(self, unsigned int interest) except -1:
        cdef epoll_event event
        if self.fd < 0 or interest == self._interest:
            return 0
        self._interest = interest
        event.events = interest
        event.data.ptr = <void *> self
        return epoll_ctl(self._turn._epoll, EPOLL_CTL_MOD, self.fd, &event) and 0

    cdef int _on_event(self, unsigned int events) except -1:
        if events & EPOLLOUT:
            self.flush(self.connection)
            if self.fd < 0:
                return 0
        if events & EPOLLIN or events & (EPOLLERR | EPOLLHUP):
            self._on_readable()
        return 0

    cdef int _on_readable(self) except -1:
        cdef Connection connection = self.connection
        cdef bytearray chunk
        cdef Py_ssize_t filled = connection.filled
        cdef Py_ssize_t got
        if connection.inbox is None:
            chunk = self._turn.buffer
            filled = 0
        else:
            chunk = connection.inbox
            if PyByteArray_GET_SIZE(chunk) - filled < BUFFER_SIZE // 2:
                PyByteArray_Resize(chunk, filled + max(filled, BUFFER_SIZE))
        got = recv(self.fd, PyByteArray_AS_STRING(chunk) + filled, PyByteArray_GET_SIZE(chunk) - filled, MSG_DONTWAIT)
        if got > 0:
            connection.traffic.received_bytes += got
            connection.receive(chunk, filled + got)
        elif got == 0:
            connection.on_eof()
        elif c_errno != EAGAIN and c_errno != EINTR:
            self._lose(c_errno)
        return 0

    cpdef object flush(self, Connection connection):
        cdef Outbox outbox = connection.outbox
        cdef Py_ssize_t sent
        if self.fd < 0:
            return
        while outbox._tail > outbox._sent:
            sent = send(self.fd, outbox._data + outbox._sent, outbox._tail - outbox._sent, MSG_NOSIGNAL | MSG_DONTWAIT)
            if sent < 0:
                if c_errno == EINTR:
                    continue
                if c_errno == EAGAIN:
                    self._set_interest(self._interest | EPOLLOUT)
                else:
                    self._lose(c_errno)
                return
            connection.traffic.sent_bytes += sent
            outbox.mark_sent(sent)
        if connection.awaits_sent or self._interest & EPOLLOUT:
            self._set_interest(self._interest & ~<unsigned int> EPOLLOUT)
            connection.on_sent()

    cpdef Py_ssize_t send_now(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -1:
        cdef Py_ssize_t sent
        if self.fd < 0 or self._interest & EPOLLOUT:
            return 0
        sent = send(self.fd, data_of(chunk) + start, end - start, MSG_NOSIGNAL | MSG_DONTWAIT)
        if sent <= 0:
            return 0  # whatever is wrong, the flush meets it again and deals with it
        self.connection.traffic.sent_bytes += sent
        return sent

    cpdef object pause_reading(self):
        self._set_interest(self._interest & ~<unsigned int> EPOLLIN)

    cpdef object resume_reading(self):
        self._set_interest(self._interest | EPOLLIN)

    cpdef object close(self):
        cdef int fd = self.fd
        if fd < 0:
            return
        cdef epoll_event event
        self.fd = -1
        # The kernel takes a socket out of the set when nobody has it open any more. Another process may: the worker that
        # handed a client over and has yet to close its own descriptor, or a successor. The pointer would outlive us.
        epoll_ctl(self._turn._epoll, EPOLL_CTL_DEL, fd, &event)
        del self._turn._transports[fd]
        self._turn._graveyard.append(self)
        if self.connection is not None:
            self.connection.transport = None
            self.connection = None
        close(fd)

    cdef int _lose(self, int error) except -1:
        cdef Connection connection = self.connection
        self.close()
        if connection is not None:
            connection.on_lost(os.strerror(error) if error else "internal error")
        return 0
