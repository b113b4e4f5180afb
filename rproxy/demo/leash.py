"""No process or directory of ours outlives us, not even when we are killed.

A leash is a small process of its own that is told which processes and directories exist, and sees the end of its
standard input when we are gone, however we went. It then ends and removes them. It needs no Linux call and no exit
handler.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from functools import cache


class Leash:
    """The near end: tells the leash process what to end or remove when this process is gone."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own file, with this interpreter
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def hold(self, thing: int | str) -> None:
        """Take on a process by its pid, or a directory by its path."""
        self._say("hold", thing)

    def release(self, thing: int | str) -> None:
        """Forget a process that has ended or a directory that was removed."""
        self._say("release", thing)

    def _say(self, verb: str, thing: int | str) -> None:
        kind = "pid" if isinstance(thing, int) else "directory"
        print(verb, kind, thing, file=self._process.stdin, flush=True)


@cache
def leash() -> Leash:
    """The leash of this process, started when it is first needed."""
    return Leash()


def _end(kind: str, thing: str) -> None:
    if kind == "directory":
        shutil.rmtree(thing, ignore_errors=True)
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(thing), signal.SIGKILL)


def _watch() -> None:
    held: dict[tuple[str, str], None] = {}
    for line in sys.stdin:
        verb, kind, thing = line.rstrip("\n").split(" ", 2)
        if verb == "hold":
            held[kind, thing] = None
        else:
            held.pop((kind, thing), None)
    for kind, thing in sorted(held, key=lambda held_thing: held_thing[0] == "directory"):
        _end(kind, thing)


if __name__ == "__main__":
    _watch()
