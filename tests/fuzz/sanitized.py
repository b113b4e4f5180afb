"""A build of the compiled form, in a folder of its own, that stops at the first wrong step in memory or arithmetic.

gcc's AddressSanitizer and UndefinedBehaviorSanitizer are compiled in: every read and write outside of a block, every
use after a free, every overflow of a signed number ends the process with a report.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path("build/sanitized")
COPIED = ("rproxy", "tests", "setup.py", "pyproject.toml", "README.md", "LICENSE")
FLAGS = "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
LIBRARIES = ("libasan.so", "libubsan.so")


def missing() -> str | None:
    """What keeps the build from working here, ``None`` if nothing does."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return "gcc was not found: the sanitized build needs it (Debian: apt install gcc libc6-dev)"
    for library in LIBRARIES:
        if not _path_of(library).is_absolute():
            return (
                f"gcc has no {library}: the sanitized build needs it (Debian: apt install libgcc-12-dev, or as gcc's)"
            )
    return None


def _path_of(library: str) -> Path:
    """Where gcc finds a library of its own; the bare name if it does not."""
    answer = subprocess.run(["gcc", f"-print-file-name={library}"], capture_output=True, text=True, check=True)
    return Path(answer.stdout.strip())


def build() -> None:
    """Build what has changed. Raises ``CalledProcessError``."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    for name in COPIED:
        if Path(name).is_dir():
            shutil.copytree(name, FOLDER / name, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy2(name, FOLDER / name)
    flags = {"CC": "gcc", "RPROXY_CFLAGS": FLAGS, "LDFLAGS": "-fsanitize=address,undefined"}
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace", "--parallel", "2"]
    log = FOLDER / "build.log"
    with log.open("w") as output:
        subprocess.run(command, cwd=FOLDER, env=os.environ | flags, stdout=output, stderr=output, check=True)


def environment() -> dict[str, str]:
    """What a Python process needs to run the build."""
    return {
        "LD_PRELOAD": " ".join(str(_path_of(library)) for library in LIBRARIES),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python itself keeps memory until its end
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",  # each object a block of its own, so that a step outside of it is seen
    }
