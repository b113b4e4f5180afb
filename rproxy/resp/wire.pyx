"""Scanners of RESP bytes, in C: the compiled form of ``wire.py``, which documents the behaviour and is its oracle.

Nothing is copied: a scanner is shown a chunk and says where in it a command or a reply begins and ends. Every read is
bounded by the chunk's end; every growth by a limit.
"""

from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memchr

from rproxy.resp.hash_slot cimport slot_of

from rproxy.resp.encode import command as encode_command
from rproxy.resp.inline import split_inline

Chunk = bytes | bytearray

NEED_MORE = 0
COMMAND = 1
EMPTY = 2
MALFORMED = -1

cdef enum:
    _NEED_MORE = 0
    _COMMAND = 1
    _EMPTY = 2
    _MALFORMED = -1
    LINE_MAX = 65536
    SMALL_SPANS = 64
    KEPT_SPANS = 4096
    REPLY_LINE_MAX = 1048576
    UNTRUSTED_ARGUMENTS = 10
    UNTRUSTED_SIZE = 16384

# Results of read_length besides the offset after the line.
cdef enum:
    LENGTH_PARTIAL = 0
    LENGTH_TOO_LONG = -1
    LENGTH_INVALID = -2


# ---- lengths ----

cdef Py_ssize_t read_length(
    const unsigned char *p, Py_ssize_t offset, Py_ssize_t n, long long *value, bint *regular
) noexcept:
    """Read the decimal number at ``offset`` and the line end after it, as strictly as Redis's ``string2ll``."""
    cdef Py_ssize_t i = offset
    cdef bint negative = False
    cdef long long number = 0
    cdef const unsigned char *line_end
    if i < n and p[i] == c'-':
        negative = True
        i += 1
    if i < n and c'1' <= p[i] <= c'9':
        while i < n and c'0' <= p[i] <= c'9' and i - offset < 18:
            number = number * 10 + (p[i] - c'0')
            i += 1
    elif i < n and p[i] == c'0' and not negative:
        i += 1
    else:
        negative = False
        i = n + 1  # no number: only whether the line has ended is of interest
    if i < n and p[i] == c'\r':
        if i + 1 >= n:
            return LENGTH_PARTIAL
        if p[i + 1] != c'\n':
            regular[0] = False
        value[0] = -number if negative else number
        return i + 2
    line_end = <const unsigned char *> memchr(p + offset, c'\r', n - offset) if offset < n else NULL
    if line_end == NULL:
        return LENGTH_TOO_LONG if n - offset > LINE_MAX else LENGTH_PARTIAL
    if line_end + 1 >= p + n:
        return LENGTH_PARTIAL
    return LENGTH_INVALID


# ---- requests ----

cdef class RequestScanner:
    """See ``wire.py``."""

    def __cinit__(self):
        self._capacity = SMALL_SPANS
        self._spans = <Span *> malloc(self._capacity * sizeof(Span))
        if self._spans == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self._spans)

    def __init__(self):
        self.max_arguments = 1024 * 1024
        self.max_argument_size = 512 * 1024 * 1024
        self.max_inline_size = LINE_MAX
        self.is_trusted = True
        self.error = b""
        self.chunk = b""
        self.restart()

    cpdef object restart(self):
        cdef Span *spans
        self.argc = 0
        self.needed = 1
        self._expected = 0
        self._offset = 0
        self._bulk = -1
        self._is_regular = True
        self._is_done = False
        if self._capacity > KEPT_SPANS:
            spans = <Span *> realloc(self._spans, SMALL_SPANS * sizeof(Span))
            if spans != NULL:
                self._spans = spans
                self._capacity = SMALL_SPANS

    cpdef int next(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -2:
        cdef const unsigned char *p = data_of(chunk) + start
        cdef Py_ssize_t n = end - start
        if self._is_done:
            self.restart()
        if n <= 0:
            return _NEED_MORE
        self.chunk = chunk
        self.base = start
        if self._expected or p[0] == c'*':
            return self._scan_array(p, n)
        return self._scan_inline(p, n)

    cdef int _scan_array(self, const unsigned char *p, Py_ssize_t n) except -2:
        cdef long long number = 0
        cdef Py_ssize_t offset = self._offset
        cdef Py_ssize_t after
        if self._expected == 0:
            after = read_length(p, 1, n, &number, &self._is_regular)
            if after <= 0:
                if after == LENGTH_PARTIAL:
                    self.needed = n + 1
                    return _NEED_MORE
                if after == LENGTH_TOO_LONG:
                    return self._fail(b"too big mbulk count string")
                return self._fail(b"invalid multibulk length")
            if number > self.max_arguments:
                return self._fail(b"invalid multibulk length")
            if number > UNTRUSTED_ARGUMENTS and not self.is_trusted:
                return self._fail(b"unauthenticated multibulk length")
            if number <= 0:
                self.consumed = after
                self._is_done = True
                return _EMPTY
            self._expected = number
            offset = after
        while self.argc < self._expected:
            if self._bulk < 0:
                if offset >= n:
                    self._offset = offset
                    self.needed = offset + 1
                    return _NEED_MORE
                if p[offset] != c'$':
                    return self._fail(b"expected '$', got '%c'" % (p[offset],))
                after = read_length(p, offset + 1, n, &number, &self._is_regular)
                if after <= 0:
                    if after == LENGTH_PARTIAL:
                        self._offset = offset
                        self.needed = n + 1
                        return _NEED_MORE
                    if after == LENGTH_TOO_LONG:
                        return self._fail(b"too big bulk count string")
                    return self._fail(b"invalid bulk length")
                if number < 0 or number > self.max_argument_size:
                    return self._fail(b"invalid bulk length")
                if number > UNTRUSTED_SIZE and not self.is_trusted:
                    return self._fail(b"unauthenticated bulk length")
                self._bulk = number
                offset = after
            if n - offset < self._bulk + 2:
                self._offset = offset
                self.needed = offset + self._bulk + 2
                return _NEED_MORE
            if self.argc == self._capacity:
                self._grow()
            self._spans[self.argc].start = offset
            offset += self._bulk
            self._spans[self.argc].end = offset
            if p[offset] != c'\r' or p[offset + 1] != c'\n':
                self._is_regular = False
            offset += 2
            self.argc += 1
            self._bulk = -1
        self.size = offset
        self.consumed = offset
        if not self._is_regular:
            return self._adopt(self.args())
        self._is_done = True
        return _COMMAND

    cdef int _scan_inline(self, const unsigned char *p, Py_ssize_t n) except -2:
        cdef const unsigned char *line_end = <const unsigned char *> memchr(p, c'\n', n)
        cdef Py_ssize_t size
        if line_end == NULL:
            if n > self.max_inline_size:
                return self._fail(b"too big inline request")
            self.needed = n + 1
            return _NEED_MORE
        size = line_end - p
        self.consumed = size + 1
        if size > self.max_inline_size:
            return self._fail(b"too big inline request")
        words = split_inline(p[:size])
        if words is None:
            return self._fail(b"unbalanced quotes in request")
        if not words:
            self._is_done = True
            return _EMPTY
        return self._adopt(words)

    cdef int _adopt(self, list arguments) except -2:
        """Show the canonical form of a command that did not come in it, so that this form is what is forwarded."""
        cdef Py_ssize_t offset = len(b"*%d\r\n" % len(arguments))
        cdef bytes argument
        self.restart()
        self.chunk = encode_command(arguments)
        self.base = 0
        for argument in arguments:
            if self.argc == self._capacity:
                self._grow()
            offset += len(b"$%d\r\n" % len(argument))
            self._spans[self.argc].start = offset
            offset += len(argument)
            self._spans[self.argc].end = offset
            offset += 2
            self.argc += 1
        self.size = offset
        self._is_done = True
        return _COMMAND

    cdef int _fail(self, bytes error) except -2:
        self.error = b"Protocol error: " + error
        self._is_done = True
        return _MALFORMED

    cdef int _grow(self) except -1:
        cdef Py_ssize_t capacity = self._capacity * 2
        cdef Span *spans = <Span *> realloc(self._spans, capacity * sizeof(Span))
        if spans == NULL:
            raise MemoryError
        self._spans = spans
        self._capacity = capacity
        return 0

    cpdef Py_ssize_t missing(self):
        return self._expected - self.argc if self._is_regular else -1

    cpdef bytes arg(self, Py_ssize_t index):
        if not 0 <= index < self.argc:
            raise IndexError(index)
        cdef const unsigned char *p = data_of(self.chunk) + self.base
        return p[self._spans[index].start:self._spans[index].end]

    cpdef list args(self):
        return [self.arg(index) for index in range(self.argc)]

    cpdef int slot(self, Py_ssize_t index) except -1:
        if not 0 <= index < self.argc:
            raise IndexError(index)
        cdef const unsigned char *p = data_of(self.chunk) + self.base
        return slot_of(p + self._spans[index].start, self._spans[index].end - self._spans[index].start)

    cpdef int common_slot(self, Py_ssize_t first, Py_ssize_t last, Py_ssize_t step) except -2:
        cdef Py_ssize_t index
        cdef int slot
        slot = self.slot(first)
        for index in range(first + step, last + 1, step):
            if self.slot(index) != slot:
                return -1
        return slot

    cpdef object find(self, NameIndex index):
        cdef const unsigned char *p = data_of(self.chunk) + self.base
        return index.find(p + self._spans[0].start, self._spans[0].end - self._spans[0].start)

    cpdef Py_ssize_t raw_start(self, Py_ssize_t index) except -1:
        if not 0 < index < self.argc:
            raise IndexError(index)
        return self.base + self._spans[index - 1].end + 2

    cpdef Py_ssize_t raw_end(self, Py_ssize_t index) except -1:
        if not 0 <= index < self.argc:
            raise IndexError(index)
        return self.base + self._spans[index].end + 2


# ---- replies ----

cdef class ReplyScanner:
    """See ``wire.py``."""

    def __init__(self, max_size=512 * 1024 * 1024):
        self.max_size = max_size
        self._offset = 0
        self._pending = 0
        self._rest = 0
        self.first = 0
        self.needed = 1

    cpdef bint is_mid_reply(self):
        return self._pending > 0

    cpdef Py_ssize_t pour(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -2:
        cdef Py_ssize_t position = start
        cdef Py_ssize_t size
        while position < end and self._pending > 0:
            if self._rest == 0:
                size = self.next(chunk, position, end)
                if size < 0:
                    return -1
                if size > 0:
                    return position + size - start
                if self.needed <= end - position + 1:
                    position += self._offset
                    self._offset = 0
                    break
                self._rest = self.needed - (end - position)
                self._offset = 0
                position = end
                break
            position = self._pour_bulk(data_of(chunk), position, end)
            if position < 0:
                return -1
        return position - start

    cdef Py_ssize_t _pour_bulk(self, const unsigned char *p, Py_ssize_t position, Py_ssize_t end) noexcept:
        cdef Py_ssize_t rest = self._rest
        cdef Py_ssize_t size = min(rest, end - position)
        if rest - size < 2 <= rest and p[position + rest - 2] != c'\r':
            return -1
        if rest - size < 1 and p[position + rest - 1] != c'\n':
            return -1
        self._rest = rest - size
        if self._rest == 0:
            self._pending -= 1
            self.needed = 1
        return position + size

    cpdef Py_ssize_t next(self, object chunk, Py_ssize_t start, Py_ssize_t end) except -2:
        cdef const unsigned char *p = data_of(chunk) + start
        cdef Py_ssize_t n = end - start
        cdef Py_ssize_t offset = self._offset
        cdef Py_ssize_t after
        cdef long long pending = self._pending
        cdef long long number = 0
        cdef bint regular = True
        cdef unsigned char kind
        cdef const unsigned char *line_end
        if n <= 0:
            return 0
        if pending == 0:
            pending = 1
            self.first = p[0]
        while pending > 0:
            if offset >= n:
                self.needed = offset + 1
                break
            kind = p[offset]
            if kind == c'+' or kind == c'-' or kind == c':' or kind == c'_' or kind == c',' or kind == c'#' or kind == c'(':
                line_end = <const unsigned char *> memchr(p + offset, c'\n', n - offset)
                if line_end == NULL:
                    if n - offset > REPLY_LINE_MAX:
                        return -1
                    self.needed = n + 1
                    break
                if (line_end - 1)[0] != c'\r':
                    return -1
                offset = line_end + 1 - p
            elif kind == c'$' or kind == c'!' or kind == c'=':
                after = read_length(p, offset + 1, n, &number, &regular)
                if after <= 0:
                    if after != LENGTH_PARTIAL:
                        return -1
                    self.needed = n + 1
                    break
                if number < -1 or number > self.max_size or not regular:
                    return -1
                if number >= 0:
                    if n - after < number + 2:
                        self.needed = after + number + 2
                        break
                    after += number
                    if p[after] != c'\r' or p[after + 1] != c'\n':
                        return -1
                    after += 2
                offset = after
            elif kind == c'*' or kind == c'%' or kind == c'~' or kind == c'>' or kind == c'|':
                after = read_length(p, offset + 1, n, &number, &regular)
                if after <= 0:
                    if after != LENGTH_PARTIAL:
                        return -1
                    self.needed = n + 1
                    break
                if number < -1 or number > 0x7FFFFFFF or not regular:
                    return -1
                offset = after
                if number > 0:
                    pending += number * 2 if kind == c'%' or kind == c'|' else number
                pending += kind == c'|'  # an attribute stands before the reply, it is none itself
                if pending > 0xFFFFFFFFLL:
                    return -1
            else:
                return -1
            pending -= 1
        if pending > 0:
            self._pending = pending
            self._offset = offset
            return 0
        self._pending = 0
        self._offset = 0
        self.needed = 1
        return offset
