"""Inline commands: a line of words instead of an array of bulk strings (RESP, "Inline commands").

The quoting rules are those of Redis (``sdssplitargs``): words are separated by blanks; ``"..."`` knows ``\\n \\r \\t
\\b \\a \\xHH`` and escaped characters, ``'...'`` only ``\\'``; a closing quote must be followed by a blank or the end.
"""

_BLANKS = b" \n\r\t\v\f\0"
_ESCAPES = {ord("n"): 10, ord("r"): 13, ord("t"): 9, ord("b"): 8, ord("a"): 7}
_HEX = frozenset(b"0123456789abcdefABCDEF")


def split_inline(line: bytes) -> list[bytes] | None:
    """The words of ``line``; ``None`` where its quotes are unbalanced."""
    words: list[bytes] = []
    position = 0
    size = len(line)
    while True:
        while position < size and line[position] in _BLANKS:
            position += 1
        if position == size:
            return words
        word = bytearray()
        while position < size and line[position] not in _BLANKS:
            quote = line[position]
            if quote in b"\"'":
                end = _read_quoted(line, position + 1, quote, word)
                if end < 0:
                    return None
                position = end
                break
            word.append(quote)
            position += 1
        words.append(bytes(word))


def _read_quoted(line: bytes, position: int, quote: int, word: bytearray) -> int:
    """Append the quoted text at ``position`` to ``word``; the position after the closing quote, -1 if unbalanced."""
    size = len(line)
    while position < size:
        byte = line[position]
        if byte == quote:
            after = position + 1
            return after if after == size or line[after] in _BLANKS else -1
        if byte == 0x5C and position + 1 < size:
            position = _read_escape(line, position, quote, word)
            continue
        word.append(byte)
        position += 1
    return -1


def _read_escape(line: bytes, position: int, quote: int, word: bytearray) -> int:
    following = line[position + 1]
    if quote == 0x27:
        if following == 0x27:
            word.append(0x27)
            return position + 2
        word.append(0x5C)
        return position + 1
    digits = line[position + 2 : position + 4]
    if following == 0x78 and len(digits) == 2 and _HEX.issuperset(digits):
        word.append(int(digits, 16))
        return position + 4
    word.append(_ESCAPES.get(following, following))
    return position + 2
