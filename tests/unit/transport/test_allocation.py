"""Large buffers go back to the system when they are free, where the C library can do that."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import rproxy
from rproxy.transport.allocation import give_back_large_buffers

MEBIBYTE = 1 << 20
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""As glibc's ``malloc.h`` numbers them."""
MAPPED_AFTER_A_LARGER_ONE = """
import ctypes, sys
from rproxy.transport.allocation import give_back_large_buffers

class Facts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd rest".split()]
    _fields_ += [("more", ctypes.c_size_t * 4)]

mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Facts
if sys.argv[1] == "given back":
    give_back_large_buffers()
larger = bytearray(16 << 20)
del larger
before = mallinfo2().hblks
large = bytearray(2 << 20)
print(mallinfo2().hblks - before)
"""


def regions_mapped_after_a_larger_one(mode: str) -> int:
    """How many regions a new process maps for a buffer of 2 MiB, once it has freed a larger one."""
    done = subprocess.run(
        [sys.executable, "-c", MAPPED_AFTER_A_LARGER_ONE, mode],
        env={},  # so that nothing replaces or tunes malloc
        cwd=Path(rproxy.__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="the C library does not tell what it has mapped"
)
@pytest.mark.parametrize(("mode", "mapped"), [("given back", 1), ("kept", 0)])
def test_a_large_buffer_is_mapped_by_itself_once_that_is_asked_for(mode: str, mapped: int) -> None:
    assert regions_mapped_after_a_larger_one(mode) == mapped


def test_buffers_of_a_mebibyte_are_mapped_and_a_little_more_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds: dict[int, int] = {}
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: SimpleNamespace(mallopt=bounds.__setitem__))
    give_back_large_buffers()
    assert bounds == {M_MMAP_THRESHOLD: MEBIBYTE, M_TRIM_THRESHOLD: 16 * MEBIBYTE}


def test_a_library_without_mallopt_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: SimpleNamespace())
    give_back_large_buffers()


def test_a_system_that_shows_no_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: None) -> None:
        raise OSError("cannot load")

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    give_back_large_buffers()
