"""Scanners of RESP bytes: where in a chunk a command (and, in ``reply_scanner``, a reply) begins and ends.

This is the Python form, used where ``wire.pyx`` was not compiled and as the oracle of its differential tests; both
behave alike to the byte. A *chunk* is ``bytes`` or ``bytearray``; positions count from its beginning, spans of
arguments from the beginning of their command. Nothing is copied until an argument is asked for.

Framing follows RESP (requests: arrays of bulk strings, or inline commands) and the wording and limits of Redis's
``networking.c``.
"""

from __future__ import annotations

from typing import Any

from rproxy.resp.encode import command as encode_command
from rproxy.resp.hash_slot import hash_slot
from rproxy.resp.inline import split_inline
from rproxy.resp.lengths import INVALID, LINE_MAX, PARTIAL, SHORT, TOO_LONG, Chunk, read_length
from rproxy.resp.name_index import NameIndex
from rproxy.resp.reply_scanner import ReplyScanner

__all__ = ["COMMAND", "EMPTY", "MALFORMED", "NEED_MORE", "Chunk", "ReplyScanner", "RequestScanner"]

NEED_MORE = 0
"""The chunk ends inside a command; ``needed`` says how many bytes there must be before another try can get on."""
COMMAND = 1
"""A command was scanned; its spans are valid until the next call."""
EMPTY = 2
"""``consumed`` bytes were no command (a blank line, an array without elements): Redis passes over them in silence."""
MALFORMED = -1
"""The stream cannot be read on; ``error`` says why in Redis's words."""

_UNTRUSTED_ARGUMENTS = 10
_UNTRUSTED_SIZE = 16384

_COUNTS = {b"*%d" % number: number for number in range(1, SHORT)}
_BULKS_AFTER = {b"\r\n$%d" % number: number for number in range(SHORT)}
"""What nearly all lines of lengths say: looked up, not parsed. That of an argument is looked up together with the end
of the line before it, which is so checked without a step of its own."""
_CRLF = b"\r\n"


class RequestScanner:
    """Scans the commands of one client.

    ``next`` is called with the bytes that are there; a scan that needs more goes on where it stopped, as long as the
    same command begins at ``start`` again. After ``COMMAND``: ``chunk[base : base + size]`` is the command as an array
    of bulk strings (an inline command is shown in that form), ``argc`` its arguments, ``consumed`` the bytes it took.
    ``is_trusted`` is false for a client that has yet to authenticate: 10 arguments of 16 KiB are its limits.
    """

    __slots__ = (
        "_bulk",
        "_expected",
        "_is_done",
        "_is_regular",
        "_offset",
        "_opening",
        "_spans",
        "argc",
        "base",
        "chunk",
        "consumed",
        "error",
        "is_trusted",
        "max_argument_size",
        "max_arguments",
        "max_inline_size",
        "needed",
        "size",
    )

    def __init__(self) -> None:
        self.max_arguments = 1024 * 1024
        self.max_argument_size = 512 * 1024 * 1024
        self.max_inline_size = LINE_MAX
        self.is_trusted = True
        self.error = b""
        self.chunk: Chunk = b""
        self.base = 0
        self.size = 0
        self.consumed = 0
        # How the last command began, up to the end of its name: its number of arguments, where the name stands, and the
        # name. In a pipeline the next one often begins alike.
        self._opening = b"*1\r\n$4\r\nPING", 1, (8, 12), b"PING"
        self.restart()
        self._is_done = True

    def restart(self) -> None:
        """Forget a command that was begun."""
        self.argc = 0
        self.needed = 1
        self._expected = 0
        self._offset = 0
        self._bulk = -1
        self._spans: list[tuple[int, int]] = []
        self._is_regular = True
        self._is_done = False

    def next(self, chunk: Chunk, start: int, end: int) -> int:
        """Scan one command at ``chunk[start:end]``: ``COMMAND``, ``EMPTY``, ``NEED_MORE`` or ``MALFORMED``."""
        if self._is_done:
            if start < end and self._scan_plainly(chunk, start, end):
                return COMMAND
            self.restart()
        if end <= start:
            return NEED_MORE
        self.chunk = chunk
        self.base = start
        if self._expected or chunk[start] == 0x2A:
            return self._scan_array(chunk, start, end)
        return self._scan_inline(chunk, start, end)

    def _scan_plainly(self, chunk: Chunk, start: int, end: int) -> bool:
        """Scan a command that is all there and has nothing unusual; false, and nothing done, for any other."""
        if type(chunk) is not bytes or not self.is_trusted or self.max_argument_size < SHORT:
            return False
        find = chunk.find
        opening, count, name, _ = self._opening
        if chunk.startswith(opening, start):
            spans = [name]
            stop = start + name[1]
        else:
            spans = []
            stop = find(_CRLF, start, end)
            count = _COUNTS.get(chunk[start:stop], 0)
            if stop < 0 or not 0 < count <= self.max_arguments:
                return False
        for _ in range(count - len(spans)):
            line = find(_CRLF, stop + 2, end)
            length = _BULKS_AFTER.get(chunk[stop:line])
            if length is None or line < 0:
                return False
            stop = line + 2 + length
            spans.append((line + 2 - start, stop - start))
        if stop + 2 > end or chunk[stop : stop + 2] != _CRLF:
            return False
        self.size = self.consumed = stop + 2 - start
        if spans[0] is not name:
            name = spans[0]
            stop = start + name[1]
            self._opening = chunk[start:stop], count, name, chunk[start + name[0] : stop]
        self.chunk = chunk
        self.base = start
        self._spans = spans
        self.argc = count
        return True

    def _scan_array(self, chunk: Chunk, start: int, end: int) -> int:
        if self._expected == 0:
            status = self._scan_count(chunk, start, end)
            if status != COMMAND:
                return status
        position = start + self._offset
        spans = self._spans
        while len(spans) < self._expected:
            if self._bulk < 0:
                after = self._scan_bulk_header(chunk, position, end)
                if after <= 0:
                    self._offset = position - start
                    self.needed = self._offset + 1 if position >= end else end - start + 1
                    return after
                position = after
            stop = position + self._bulk
            if end < stop + 2:
                self._offset = position - start
                self.needed = stop + 2 - start
                return NEED_MORE
            spans.append((position - start, stop - start))
            if chunk[stop] != 0x0D or chunk[stop + 1] != 0x0A:
                self._is_regular = False
            position = stop + 2
            self.argc += 1
            self._bulk = -1
        self.size = self.consumed = position - start
        if not self._is_regular:
            return self._adopt(self.args())
        self._is_done = True
        return COMMAND

    def _scan_count(self, chunk: Chunk, start: int, end: int) -> int:
        after, number, is_regular = read_length(chunk, start + 1, end)
        if after == PARTIAL:
            self.needed = end - start + 1
            return NEED_MORE
        if after == TOO_LONG:
            return self._fail(b"too big mbulk count string")
        if after == INVALID or number > self.max_arguments:
            return self._fail(b"invalid multibulk length")
        if number > _UNTRUSTED_ARGUMENTS and not self.is_trusted:
            return self._fail(b"unauthenticated multibulk length")
        if number <= 0:
            self.consumed = after - start
            self._is_done = True
            return EMPTY
        self._is_regular = is_regular
        self._expected = number
        self._offset = after - start
        return COMMAND

    def _scan_bulk_header(self, chunk: Chunk, position: int, end: int) -> int:
        """The position after ``$<length>CRLF``, else a status."""
        if position >= end:
            return NEED_MORE
        if chunk[position] != 0x24:
            return self._fail(b"expected '$', got '%c'" % (chunk[position],))
        after, number, is_regular = read_length(chunk, position + 1, end)
        if after == PARTIAL:
            return NEED_MORE
        if after == TOO_LONG:
            return self._fail(b"too big bulk count string")
        if after == INVALID or not 0 <= number <= self.max_argument_size:
            return self._fail(b"invalid bulk length")
        if number > _UNTRUSTED_SIZE and not self.is_trusted:
            return self._fail(b"unauthenticated bulk length")
        if not is_regular:
            self._is_regular = False
        self._bulk = number
        return after

    def _scan_inline(self, chunk: Chunk, start: int, end: int) -> int:
        stop = chunk.find(b"\n", start, end)
        if stop < 0:
            if end - start > self.max_inline_size:
                return self._fail(b"too big inline request")
            self.needed = end - start + 1
            return NEED_MORE
        self.consumed = stop + 1 - start
        if stop - start > self.max_inline_size:
            return self._fail(b"too big inline request")
        words = split_inline(bytes(chunk[start:stop]))
        if words is None:
            return self._fail(b"unbalanced quotes in request")
        if not words:
            self._is_done = True
            return EMPTY
        return self._adopt(words)

    def _adopt(self, arguments: list[bytes]) -> int:
        """Show the canonical form of a command that did not come in it, so that this form is what is forwarded."""
        self.restart()
        self.chunk = encode_command(arguments)
        self.base = 0
        offset = len(b"*%d\r\n" % len(arguments))
        for argument in arguments:
            start = offset + len(b"$%d\r\n" % len(argument))
            offset = start + len(argument) + 2
            self._spans.append((start, offset - 2))
        self.argc = len(arguments)
        self.size = offset
        self._is_done = True
        return COMMAND

    def _fail(self, error: bytes) -> int:
        self.error = b"Protocol error: " + error
        self._is_done = True
        return MALFORMED

    def missing(self) -> int:
        """How many arguments of the command that was begun have not come whole, as far as it is known.

        -1 if what has come is not as rproxy would write it.
        """
        return self._expected - len(self._spans) if self._is_regular else -1

    def arg(self, index: int) -> bytes:
        """Argument ``index`` (0 is the command's name). Raises ``IndexError``."""
        start, end = self._spans[index]
        base = self.base
        return bytes(self.chunk[base + start : base + end])

    def args(self) -> list[bytes]:
        """All arguments."""
        chunk, base = self.chunk, self.base
        return [bytes(chunk[base + start : base + end]) for start, end in self._spans]

    def slot(self, index: int) -> int:
        """The hash slot of argument ``index``. Raises ``IndexError``."""
        start, end = self._spans[index]
        base = self.base
        return hash_slot(bytes(self.chunk[base + start : base + end]))

    def common_slot(self, first: int, last: int, step: int) -> int:
        """The slot that the arguments ``first``, ``first + step`` .. ``last`` share; -1 if they do not."""
        slot = self.slot(first)
        for index in range(first + step, last + 1, step):
            if self.slot(index) != slot:
                return -1
        return slot

    def find(self, index: NameIndex) -> Any:
        """What ``index`` holds under the command's name, ``None`` if nothing."""
        _, _, span, name = self._opening
        return index.get(name if self._spans[0] is span else self.arg(0))

    def raw_start(self, index: int) -> int:
        """Where in ``chunk`` argument ``index`` (from 1) begins, its ``$<length>`` header included."""
        if not 0 < index < self.argc:
            raise IndexError(index)
        return self.base + self._spans[index - 1][1] + 2

    def raw_end(self, index: int) -> int:
        """Where in ``chunk`` argument ``index`` ends, its line end included."""
        if not 0 <= index < self.argc:
            raise IndexError(index)
        return self.base + self._spans[index][1] + 2
