"""The scanner of replies in its Python form; the compiled one is in ``wire.pyx``, and both behave alike to the byte."""

from __future__ import annotations

from rproxy.resp.lengths import PARTIAL, SHORT, Chunk, read_length

_REPLY_LINE_MAX = 1048576
_CRLF = b"\r\n"
_SIZES_AFTER = {
    **{b"$%d\r\n" % number: number + 2 for number in range(SHORT)},
    **{b":%d\r\n" % number: 0 for number in range(SHORT)},
    **dict.fromkeys((b"+OK\r\n", b"+QUEUED\r\n", b"$-1\r\n", b"_\r\n"), 0),
}
"""The first lines of nearly all replies, and how many bytes of the reply follow: looked up, not parsed."""
_LINES = frozenset(b"+-:_,#(")
_BULKS = frozenset(b"$!=")
_AGGREGATES = frozenset(b"*%~>|")
_PAIRED = frozenset(b"%|")
_ATTRIBUTE = 0x7C


class ReplyScanner:
    """Frames the replies of one node, RESP2 and RESP3, without reading what they say.

    One count of the elements still to come is all the state that nesting needs, so depth costs nothing. ``first`` is
    the type byte of the reply. ``max_size`` bounds a bulk string.
    """

    __slots__ = ("_alike", "_offset", "_pending", "_rest", "first", "max_size", "needed")

    def __init__(self, max_size: int = 512 * 1024 * 1024) -> None:
        self.max_size = max_size
        self.first = 0
        self.needed = 1
        self._offset = 0
        self._pending = 0
        self._rest = 0
        # The first line of the last of these replies, and the size of the reply: the next one often begins alike.
        self._alike = b"+OK\r\n", 5

    def is_mid_reply(self) -> bool:
        """Whether a reply was begun and not ended."""
        return self._pending > 0

    def next(self, chunk: Chunk, start: int, end: int) -> int:
        """The size of the reply at ``chunk[start:end]``; 0 if it ends later, -1 if it is no RESP.

        A scan that needs more goes on where it stopped, as long as the same reply begins at ``start`` again.
        """
        if end <= start:
            return 0
        if self._pending == 0:
            self.first = chunk[start]
            line, size = self._alike
            stop = start + size
            if stop <= end and chunk.startswith(line, start) and chunk[stop - 2 : stop] == _CRLF:
                return size
            size = self._frame_plainly(chunk, start, end)
            if size:
                return size
        position = start + self._offset
        pending = self._pending or 1
        while pending > 0:
            if position >= end:
                self.needed = position + 1 - start
                break
            kind = chunk[position]
            after, elements = self._element(chunk, kind, position, end)
            if after < 0:
                return -1
            if after == 0:
                self.needed = max(elements, end + 1) - start
                break
            pending += elements
            if pending > 0xFFFFFFFF:
                return -1
            pending -= 1
            position = after
        if pending > 0:
            self._pending = pending
            self._offset = position - start
            return 0
        self._pending = 0
        self._offset = 0
        self.needed = 1
        return position - start

    def pour(self, chunk: Chunk, start: int, end: int) -> int:
        """How many bytes of ``chunk[start:end]`` belong to the reply that ``next`` found begun; -1 if it is no RESP.

        They are done with: the reply goes on after them, with the next call of ``pour``, unless ``is_mid_reply`` is
        false now. What is left of the chunk then is the next reply, else the beginning of an element.
        """
        position = start
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
            position = self._pour_bulk(chunk, position, end)
            if position < 0:
                return -1
        return position - start

    def _pour_bulk(self, chunk: Chunk, position: int, end: int) -> int:
        """The position after what belongs to the bulk string that has ``_rest`` bytes to come, with its line end."""
        rest = self._rest
        size = min(rest, end - position)
        for left, byte in ((2, 0x0D), (1, 0x0A)):
            if rest - size < left <= rest and chunk[position + rest - left] != byte:
                return -1
        self._rest = rest - size
        if self._rest == 0:
            self._pending -= 1
            self.needed = 1
        return position + size

    def _frame_plainly(self, chunk: Chunk, start: int, end: int) -> int:
        """The size of a line, a short bulk string or a null that is all there; 0 for any other reply."""
        stop = chunk.find(_CRLF, start, end)
        if stop < 0:
            return 0
        line = bytes(chunk[start : stop + 2])
        rest = _SIZES_AFTER.get(line)
        if rest is None:
            return len(line) if self.first in _LINES and line.find(b"\n") == len(line) - 1 else 0
        stop += 2 + rest
        if stop > end or chunk[stop - 2 : stop] != _CRLF or rest > self.max_size + 2:
            return 0
        size = stop - start
        self._alike = line, size
        return size

    def _element(self, chunk: Chunk, kind: int, position: int, end: int) -> tuple[int, int]:
        """``(position after the element's own bytes, elements it announces)``.

        A first item of -1 means garbage, of 0 that the element ends later: not before the position in the second item.
        """
        if kind in _LINES:
            stop = chunk.find(b"\n", position, end)
            if stop < 0:
                return (-1 if end - position > _REPLY_LINE_MAX else 0), 0
            return (stop + 1 if chunk[stop - 1] == 0x0D else -1), 0
        if kind not in _BULKS and kind not in _AGGREGATES:
            return -1, 0
        after, number, is_regular = read_length(chunk, position + 1, end)
        if after <= 0:
            return (0 if after == PARTIAL else -1), 0
        if number < -1 or not is_regular:
            return -1, 0
        if kind in _AGGREGATES:
            if number > 0x7FFFFFFF:
                return -1, 0
            elements = max(number, 0) * (2 if kind in _PAIRED else 1)
            return after, elements + (kind == _ATTRIBUTE)
        if number > self.max_size:
            return -1, 0
        if number < 0:
            return after, 0
        stop = after + number
        if end < stop + 2:
            return 0, stop + 2
        return (stop + 2 if chunk[stop] == 0x0D and chunk[stop + 1] == 0x0A else -1), 0
