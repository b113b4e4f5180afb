"""Host names whose addresses a test decides: an ``/etc/hosts`` that only this thread's processes see."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

_NEW_MOUNTS = 0x20000
_libc = ctypes.CDLL(None, use_errno=True)


class Names:
    """Within the context, processes that are started resolve names as ``point`` said last, kept in ``file``.

    Skips the test where the system does not allow it. A test that has used it is back where it was.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._home = -1

    def point(self, addresses: Mapping[str, str]) -> None:
        """Let names have these addresses, and no other name any but ``localhost``."""
        lines = [f"{address} {name}\n" for name, address in {"localhost": "127.0.0.1", **addresses}.items()]
        self._file.write_text("".join(lines))  # in place: what is mounted is the file, not its name

    def __enter__(self) -> Self:
        if not hasattr(_libc, "setns"):
            pytest.skip("needs Linux")
        self.point({})
        self._home = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY)
        if _libc.unshare(_NEW_MOUNTS):
            os.close(self._home)
            pytest.skip(f"names of its own need root: {os.strerror(ctypes.get_errno())}")
        try:
            subprocess.run(["mount", "--make-rprivate", "/"], check=True)
            subprocess.run(["mount", "--bind", str(self._file), "/etc/hosts"], check=True)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        folder = Path.cwd()
        if _libc.setns(self._home, _NEW_MOUNTS):
            raise OSError(ctypes.get_errno(), "setns")
        os.chdir(folder)  # which is the root after it
        os.close(self._home)
