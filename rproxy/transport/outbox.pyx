"""Bytes on their way out, in one C buffer: the compiled form of ``outbox.py``, which documents the behaviour.

An empty outbox holds no memory: small blocks go back to a bounded pool, so an idle connection costs nothing here.
"""

from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove

from rproxy.resp.wire cimport data_of

cdef enum:
    BLOCK_SIZE = 2048
    POOL_SIZE = 512

cdef unsigned char *POOL[POOL_SIZE]
cdef int POOLED = 0


cdef class Outbox:
    """See ``outbox.py``."""

    def __init__(self, bint retains=False):
        self.retains = retains

    def __dealloc__(self):
        self._reset()

    cdef void _reset(self) noexcept:
        """Give the memory back."""
        global POOLED
        if self._capacity == BLOCK_SIZE and POOLED < POOL_SIZE:
            POOL[POOLED] = self._data
            POOLED += 1
        else:
            free(self._data)
        self._data = NULL
        self._capacity = self._head = self._sent = self._tail = 0

    cdef int _reserve(self, Py_ssize_t size) except -1:
        """Make room for ``size`` more bytes."""
        global POOLED
        cdef Py_ssize_t capacity = self._capacity
        cdef Py_ssize_t used = self._tail - self._head
        cdef unsigned char *data
        if capacity == 0 and size <= BLOCK_SIZE:
            if POOLED:
                POOLED -= 1
                self._data = POOL[POOLED]
            else:
                self._data = <unsigned char *> malloc(BLOCK_SIZE)
                if self._data == NULL:
                    raise MemoryError
            self._capacity = BLOCK_SIZE
            return 0
        if self._head and self._head >= capacity // 2 and used + size <= capacity:
            memmove(self._data, self._data + self._head, used)
            self._sent -= self._head
            self._head = 0
            self._tail = used
            return 0
        capacity = max(capacity, BLOCK_SIZE)
        while self._tail + size > capacity:
            capacity *= 2
        data = <unsigned char *> realloc(self._data, capacity)
        if data == NULL:
            raise MemoryError
        self._data = data
        self._capacity = capacity
        return 0

    cdef int push(self, const unsigned char *data, Py_ssize_t size) except -1:
        """``append`` for bytes at a pointer."""
        if self._tail + size > self._capacity:
            self._reserve(size)
        memcpy(self._data + self._tail, data, size)
        self._tail += size
        return 0

    cpdef object append(self, object chunk, Py_ssize_t start, Py_ssize_t end):
        self.push(data_of(chunk) + start, end - start)

    cpdef object write(self, bytes data):
        self.append(data, 0, len(data))

    cpdef Py_ssize_t unsent(self) noexcept:
        return self._tail - self._sent

    cpdef Py_ssize_t sent(self) noexcept:
        return self._sent - self._head

    cpdef Py_ssize_t size(self) noexcept:
        return self._tail - self._head

    cdef void mark_sent(self, Py_ssize_t size) noexcept:
        self._sent += size
        if not self.retains:
            self._head = self._sent
            if self._head == self._tail:
                self._reset()

    cpdef bytes take(self):
        cdef bytes data = self._data[self._sent:self._tail] if self._data != NULL else b""
        self.mark_sent(len(data))
        return data

    cpdef bint release(self, Py_ssize_t size) except -1:
        if self._head + size > self._sent:
            return False
        self._head += size
        if self._head == self._tail:
            if self._capacity > 1048576:
                self._reset()
            self._head = self._sent = self._tail = 0
        return True

    cpdef bytes copy(self, Py_ssize_t offset, Py_ssize_t size):
        if offset < 0 or size < 0 or self._head + offset + size > self._tail:
            raise IndexError("outside the outbox")
        return self._data[self._head + offset:self._head + offset + size]

    cpdef object clear(self):
        self._reset()
