"""One reply from those of a split command's fragments: the compiled form of ``split_reply.py``.

Replies are held in one buffer as they come, with the place of each key's element; nothing is made per key but that.
"""

from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memchr, memcpy

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

from rproxy.dispatch.fragments cimport Fragments
from rproxy.dispatch.session cimport Session
from rproxy.metrics.counters cimport CommandStats
from rproxy.resp.wire cimport ReplyScanner, data_of
from rproxy.transport.connection cimport Turn
from rproxy.upstream.sink cimport Sink

from rproxy.commands.spec import ResponsePolicy
from rproxy.resp.integer import integer_of
from rproxy.routing.assembler import MISMATCH

cdef enum:
    CONCATENATE = 1
    SUM = 2
    FIRST = 3
    ROOM_PER_KEY = 64

KINDS = {ResponsePolicy.CONCATENATE: CONCATENATE, ResponsePolicy.AGG_SUM: SUM, ResponsePolicy.ALL_SUCCEEDED: FIRST}


cdef class SplitReply(Sink):
    """See ``split_reply.py``."""

    def __init__(
        self, policy, Fragments fragments, Sink sink, long long token, CommandStats stats, Turn turn, Session session not None
    ):
        if self._elements != NULL:
            raise ValueError("a split reply is made once")
        self._kind = KINDS[policy]
        self._fragments = fragments
        self._sink = sink
        self._token = token
        self._stats = stats
        self._turn = turn
        self._started = turn.now
        self._missing = fragments.count
        self._elements = <Element *> calloc(fragments.keys, sizeof(Element))
        if self._elements == NULL:
            raise MemoryError
        self._session = session
        session.load += fragments.count - 1

    def __dealloc__(self):
        free(self._elements)
        free(self._held)

    cpdef Py_ssize_t affinity(self) except? -2:
        return self._sink.affinity()

    cpdef Sink deliver(self, long long token, object chunk, Py_ssize_t start, Py_ssize_t end):
        cdef bytes reply
        if not self._take(token, chunk, start, end) and self._error is None:
            self._error = MISMATCH
            self._failed = self._fragments.count  # any error of a node says more
        self._missing -= 1
        if self._missing:
            return None
        reply = self._error if self._error is not None else self._assemble()
        if self._stats is not None:
            self._stats.record(self._error is not None, self._turn.now - self._started)
        self._session.load -= self._fragments.count - 1
        return self._sink.deliver(self._token, reply, 0, len(reply))

    cdef bint _take(self, Py_ssize_t fragment, object chunk, Py_ssize_t start, Py_ssize_t end) except -1:
        """Keep what the reply of one fragment adds to the whole; false if it is not of the expected kind."""
        cdef const unsigned char *p = data_of(chunk)
        if p[start] == c'-':
            if self._error is None or fragment < self._failed:
                self._error = p[start:end]
                self._failed = fragment
            return True
        if self._kind == CONCATENATE:
            return self._take_elements(fragment, chunk, start, end)
        if self._kind == SUM:
            if p[start] != c':':
                return False
            try:
                self._sum += integer_of(p[start + 1:end - 2])
            except (ValueError, OverflowError):
                return False
        elif fragment == 0:
            self._hold(0, p + start, end - start)
        return True

    cdef bint _take_elements(self, Py_ssize_t fragment, object chunk, Py_ssize_t start, Py_ssize_t end) except -1:
        """Keep the elements of an array, one for each key of the fragment."""
        cdef const unsigned char *p = data_of(chunk)
        cdef const unsigned char *line_end = <const unsigned char *> memchr(p + start, c'\n', end - start)
        cdef Py_ssize_t key = self._fragments.first(fragment)
        cdef Py_ssize_t position, size
        cdef ReplyScanner scanner
        if p[start] != c'*' or line_end == NULL:
            return False
        position = line_end + 1 - p
        if self._fragments.size(fragment) == 1:
            if p[start + 1] != c'1' or p[start + 2] != c'\r':
                return False
            self._hold(key, p + position, end - position)
            return True
        scanner = ReplyScanner()
        while key >= 0 and position < end:
            size = scanner.next(chunk, position, end)
            if size <= 0:
                return False
            self._hold(key, p + position, size)
            position += size
            key = self._fragments.next(key)
        return key < 0 and position == end

    cdef int _hold(self, Py_ssize_t key, const unsigned char *data, Py_ssize_t size) except -1:
        cdef Py_ssize_t capacity = self._capacity
        cdef unsigned char *held
        if self._size + size > capacity:
            capacity = max(self._size + size, 2 * capacity, ROOM_PER_KEY * self._fragments.keys)
            held = <unsigned char *> realloc(self._held, capacity)
            if held == NULL:
                raise MemoryError
            self._held = held
            self._capacity = capacity
        memcpy(self._held + self._size, data, size)
        self._elements[key].start = self._size
        self._size += size
        self._elements[key].end = self._size
        return 0

    cdef bytes _assemble(self):
        cdef bytes header, reply
        cdef Py_ssize_t key, size
        cdef char *out
        if self._kind == SUM:
            return b":%d\r\n" % self._sum
        if self._kind == FIRST:
            return self._held[:self._size]
        header = b"*%d\r\n" % self._fragments.keys
        reply = PyBytes_FromStringAndSize(NULL, len(header) + self._size)
        out = PyBytes_AS_STRING(reply)
        memcpy(out, PyBytes_AS_STRING(header), len(header))
        out += len(header)
        for key in range(self._fragments.keys):
            size = self._elements[key].end - self._elements[key].start
            memcpy(out, self._held + self._elements[key].start, size)
            out += size
        return reply
