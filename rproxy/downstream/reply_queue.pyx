"""The replies of one client, in order: the compiled form of ``reply_queue.py``, which documents the behaviour.

Early replies are kept in a ring of places that exists only while there are any; short ones inside the place itself.
"""

from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from rproxy.resp.wire cimport data_of
from rproxy.transport.connection cimport Connection
from rproxy.transport.outbox cimport Outbox
from rproxy.upstream.sink cimport Sink

from rproxy.upstream.sink import LATER, RELAYED, WHOLE

UNBOUNDED = 1 << 60

cdef enum:
    FIRST_PLACES = 16
    POOLED_PLACES = 64
    POOL_SIZE = 256
    LARGE = 4096
    EMPTY = -1  # the size of a reply without bytes: a place with size 0 has none yet


# Rings of the usual width that are free: every place in them is empty, so they need no clearing.
cdef Place *POOL[POOL_SIZE]
cdef int POOLED = 0


cdef class ReplyQueue(Sink):
    """See ``reply_queue.py``."""

    def __init__(self, Connection connection, Py_ssize_t most=UNBOUNDED):
        self.connection = connection
        self.most = most
        self._reservations = None

    def __dealloc__(self):
        self._free_places()

    cpdef long long open(self) except -1:
        cdef long long token = self._tail
        self._tail = token + 1
        return token

    cpdef Py_ssize_t pending(self) noexcept:
        return self._tail - self._head

    cpdef long long answered(self) noexcept:
        return self._head

    cpdef Sink deliver(self, long long token, object chunk, Py_ssize_t start, Py_ssize_t end):
        cdef Connection connection = self.connection
        if self.is_closed:
            return None
        if token != self._head:
            self._keep(token, data_of(chunk) + start, end - start)
        else:
            self._head += 1
            if end - start >= LARGE and self._head == self._tail:
                start += self._send_now(chunk, start, end)
            if start < end:
                connection.outbox.append(chunk, start, end)
            if self._places != NULL:
                self._advance()
            if not connection.is_dirty:
                connection.turn.mark(connection)
        if self.is_watched:
            connection.on_delivered()
        if connection.outbox.unsent() + self.held > self.most:
            return self._is_full(token)
        return None

    cdef Sink _is_full(self, long long token):
        """Itself, if it is; replies that are kept do not hold up who brings those of the oldest places."""
        if token < self._head and self.connection.outbox.unsent() <= self.most:
            return None
        self._stopped_at = token
        self.connection.on_full()
        return self

    cdef Py_ssize_t _send_now(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -1:
        """Send what the socket takes at once, past the outbox; how many bytes that were."""
        cdef Connection connection = self.connection
        cdef Py_ssize_t sent
        if connection.outbox.unsent() or connection.transport is None:
            return 0
        sent = connection.transport.send_now(chunk, start, end)
        connection.outbox.gone += sent
        return sent

    cpdef int takes(self, long long token, Py_ssize_t size) except -1:
        self._stopped_at = token
        if self._reservations is not None:
            self._reservations.pop(token, None)
            self._reserve()
        if self.is_closed or token == self._head:
            return RELAYED
        if self.connection.outbox.unsent() + self.held + self.reserved + size > self.most:
            return LATER
        if self._reservations is None:
            self._reservations = {}
        self._reservations[token] = size
        self._reserve()
        return WHOLE

    cdef object _reserve(self):
        self.reserved = 0
        if self._reservations is None:
            return
        for token, size in list(self._reservations.items()):
            if token < self._head or (self._places != NULL and self._places[<long long> token & self._mask].size):
                del self._reservations[token]
            else:
                self.reserved += size

    cpdef Sink relay(self, long long token, object chunk, Py_ssize_t start, Py_ssize_t end, bint is_last):
        cdef Connection connection = self.connection
        if self.is_closed:
            return None
        self.begun += end - start
        start += self._send_now(chunk, start, end)
        if start < end:
            connection.outbox.append(chunk, start, end)
        if is_last:
            self.begun = 0
            self._head += 1
            if self._places != NULL:
                self._advance()
        if not connection.is_dirty:
            connection.turn.mark(connection)
        if is_last and self.is_watched:
            connection.on_delivered()
        self._stopped_at = token
        return self if connection.outbox.unsent() > self.most else None

    cpdef object await_room(self, Connection feeder):
        if self.feeders is None:
            self.feeders = []
        self.feeders.append((feeder, self._stopped_at))
        self.connection.on_full()

    def wake(self):
        if self.reserved:
            self._reserve()
        if self.feeders is None:
            return
        feeders, self.feeders = self.feeders, None
        for feeder, token in feeders:
            if self._has_room(token):
                self.connection.turn.loop.call_soon(feeder.go_on)
            else:
                self.feeders = self.feeders or []
                self.feeders.append((feeder, token))

    cdef bint _has_room(self, long long token) except -1:
        cdef Py_ssize_t waiting = self.connection.outbox.unsent()
        if token > self._head:
            waiting += self.held + self.reserved
        return self.is_closed or waiting <= self.most // 2

    cpdef object give_up(self, str reason):
        if not self.is_closed:
            self.connection.give_up(reason)

    cpdef Py_ssize_t affinity(self) except? -2:
        session = getattr(self.connection, "session", None)
        return session.affinity if session is not None and not self.is_closed else -1

    cdef int _keep(self, long long token, const unsigned char *reply, Py_ssize_t size) except -1:
        cdef Place *place
        if not self._head < token < self._tail:
            raise ValueError(f"place {token} is not waiting for a reply")
        if self._places == NULL or self._tail - self._head > self._mask + 1:
            self._make_places()
        place = &self._places[token & self._mask]
        if place.size:
            raise ValueError(f"place {token} is not waiting for a reply")
        if size == 0:
            size = EMPTY
        elif size <= INLINE_SIZE:
            memcpy(place.inline, reply, size)
        else:
            place.kept = <unsigned char *> malloc(size)
            if place.kept == NULL:
                raise MemoryError
            memcpy(place.kept, reply, size)
        place.size = size
        self.held += abs(size)
        return 0

    cdef int _make_places(self) except -1:
        """A ring wide enough for every pending place."""
        cdef long long width = FIRST_PLACES, token
        cdef Place *places
        global POOLED
        while width < self._tail - self._head:
            width *= 2
        if FIRST_PLACES < width <= POOLED_PLACES:
            width = POOLED_PLACES
        if width == POOLED_PLACES and POOLED:
            POOLED -= 1
            places = POOL[POOLED]
        else:
            places = <Place *> calloc(width, sizeof(Place))
        if places == NULL:
            raise MemoryError
        if self._places != NULL:
            for token in range(self._head, self._head + self._mask + 1):
                places[token & (width - 1)] = self._places[token & self._mask]
            free(self._places)
        self._places = places
        self._mask = width - 1
        return 0

    cdef int _advance(self) except -1:
        """Send what was kept for the places that are the oldest now."""
        cdef Outbox outbox = self.connection.outbox
        cdef Place *place = &self._places[self._head & self._mask]
        while place.size and self._head < self._tail:
            if place.size == EMPTY:
                pass
            elif place.kept != NULL:
                outbox.push(place.kept, place.size)
                free(place.kept)
                place.kept = NULL
            else:
                outbox.push(place.inline, place.size)
            self.held -= abs(place.size)
            place.size = 0
            self._head += 1
            place = &self._places[self._head & self._mask]
        if self.held == 0:
            self._free_places()
        return 0

    cdef void _free_places(self) noexcept:
        global POOLED
        cdef long long index
        if self._places == NULL:
            return
        if self.held:
            for index in range(self._mask + 1):
                free(self._places[index].kept)
        if self.held == 0 and self._mask == POOLED_PLACES - 1 and POOLED < POOL_SIZE:
            POOL[POOLED] = self._places
            POOLED += 1
        else:
            free(self._places)
        self._places = NULL

    def asker(self):
        session = getattr(self.connection, "session", None)
        return (session.address, session.name) if session is not None else ("", b"")

    cpdef object close(self):
        self.is_closed = True
        self._free_places()
        self.held = self.reserved = 0
        self._reservations = None
