"""Bytes on their way out, in one C buffer: the compiled form of ``outbox.py``, which documents the behaviour.

An empty outbox holds no memory: small blocks go back to a bounded pool, so an idle connection costs nothing here. One
that does not retain and has much unsent goes on in a chain of blocks, each given back when it was sent: so it takes
little more memory than its bytes.
"""

from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

from rproxy.resp.wire cimport data_of

cdef enum:
    BLOCK_SIZE = 2048
    POOL_SIZE = 512
    LINKED_FROM = 131072
    LINK_SIZE = 1048576
    PIECE = 262144

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
        while self._chain != NULL:
            self._unlink()
            free(self._data)
            self._data = NULL
            self._capacity = self._tail = 0

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
        if size <= 0:
            return 0  # there may be no memory at all to copy nothing to
        if self._tail + size > self._capacity:
            if not self.retains and (self._chain != NULL or self._tail - self._sent + size > LINKED_FROM):
                return self._link(data, size)
            self._reserve(size)
        memcpy(self._data + self._tail, data, size)
        self._tail += size
        return 0

    cdef int _link(self, const unsigned char *data, Py_ssize_t size) except -1:
        """Append to the last block of the chain, and to new ones. What is before the chain counts as full from now on."""
        cdef Block *block
        cdef Py_ssize_t part
        self._capacity = self._tail
        while size > 0:
            block = self._chain_end
            if block == NULL or block.size == LINK_SIZE:
                block = <Block *> malloc(sizeof(Block))
                if block == NULL:
                    raise MemoryError
                block.next = NULL
                block.size = 0
                block.data = <unsigned char *> malloc(LINK_SIZE)
                if block.data == NULL:
                    free(block)
                    raise MemoryError
                if self._chain_end == NULL:
                    self._chain = block
                else:
                    self._chain_end.next = block
                self._chain_end = block
            part = min(size, LINK_SIZE - block.size)
            memcpy(block.data + block.size, data, part)
            block.size += part
            self._chained += part
            data += part
            size -= part
        if self._tail == self._sent:
            free(self._data)
            self._unlink()
        return 0

    cdef void _unlink(self) noexcept:
        """Go on with the first block of the chain, after all before it was sent and given back."""
        cdef Block *block = self._chain
        self._chain = block.next
        if self._chain == NULL:
            self._chain_end = NULL
        self._chained -= block.size
        self._data = block.data
        self._head = self._sent = 0
        self._tail = block.size
        self._capacity = LINK_SIZE if self._chain == NULL else block.size
        free(block)

    cpdef object append(self, object chunk, Py_ssize_t start, Py_ssize_t end):
        self.push(data_of(chunk) + start, end - start)

    cpdef object write(self, bytes data):
        self.append(data, 0, len(data))

    cpdef Py_ssize_t unsent(self) noexcept:
        return self._tail - self._sent + self._chained

    cpdef Py_ssize_t sent(self) noexcept:
        return self._sent - self._head

    cpdef Py_ssize_t size(self) noexcept:
        return self._tail - self._head + self._chained

    cdef void mark_sent(self, Py_ssize_t size) noexcept:
        self._sent += size
        self.gone += size
        if not self.retains:
            self._head = self._sent
            if self._head == self._tail:
                if self._chain != NULL:
                    free(self._data)
                    self._unlink()
                else:
                    self._reset()

    cpdef bytes take(self):
        return self._take(self.unsent())

    cpdef bytes take_piece(self):
        return self._take(min(self.unsent(), PIECE))

    cdef bytes _take(self, Py_ssize_t size):
        cdef bytes data = PyBytes_FromStringAndSize(NULL, size)
        cdef unsigned char *out = <unsigned char *> PyBytes_AS_STRING(data)
        cdef Py_ssize_t part
        while size > 0:
            part = min(size, self._tail - self._sent)
            memcpy(out, self._data + self._sent, part)
            self.mark_sent(part)
            out += part
            size -= part
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
