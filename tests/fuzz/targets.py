"""What is fuzzed: every compiled parser, ring and buffer, by name. A target takes any bytes; a finding is raised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.fuzz import queues, scanners
from tests.fuzz.split import split

TARGETS: dict[str, Callable[[bytes], None]] = {
    "requests": scanners.requests,
    "replies": scanners.replies,
    "slots": scanners.slots,
    "names": scanners.names,
    "outbox": queues.outbox,
    "in_flight": queues.in_flight,
    "reply_queue": queues.reply_queue,
    "split": split,
}
CORPUS = Path(__file__).parent / "corpus"
"""A folder for each target; a file is an input that found something, or reaches what others do not."""
FOUND = Path("build/fuzz/corpus")
"""What a run of the guided fuzzer adds, in the same shape."""
WORDS = (
    *(
        b"*",
        b"$",
        b"\r\n",
        b"\r",
        b"\n",
        b"\0",
        b"{",
        b"}",
        b'"',
        b"'",
        b"-1",
        b"0",
        b":",
        b"+",
        b"-",
        b"%",
        b"|",
        b">",
    ),
    *(b"*1\r\n", b"*2\r\n", b"*-1\r\n", b"$3\r\nGET\r\n", b"$-1\r\n", b"$0\r\n\r\n", b":1\r\n", b"+OK\r\n", b"%1\r\n"),
    *(b"|1\r\n", b"-ERR x\r\n", b"*2\r\n:1\r\n:2\r\n", b":9223372036854775807\r\n", b"*1048576\r\n", b"$536870912\r\n"),
    *(b"a b c d e f g h i j k\n", b"*1\r\n" * 20, b"999999999999999999", b"GET", b"{t}"),
)
"""What mutations insert."""


def inputs_of(name: str, *more: Path) -> list[bytes]:
    """The inputs kept for a target, here and in other folders of the same shape."""
    folders = [corpus / name for corpus in (CORPUS, *more)]
    return [path.read_bytes() for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
