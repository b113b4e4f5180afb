"""Builds the compiled form of the hot modules. Without a compiler the install goes on with the pure form."""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent
LINUX_ONLY = {"rproxy.transport.epoll"}
DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,  # the types of compiled modules stand in their .pxd alone
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
    "infer_types": True,
}


def hot_modules() -> list[Path]:
    """Every ``.pyx``, and every ``.py`` that has a ``.pxd`` and no ``.pyx`` beside it."""
    declared = sorted(p for p in HERE.glob("rproxy/**/*.pxd") if p.stem != "__init__")
    sources = [p.with_suffix(".pyx") if p.with_suffix(".pyx").exists() else p.with_suffix(".py") for p in declared]
    return [p.relative_to(HERE) for p in sources]


def extensions() -> list[Extension]:
    """The extensions to build, none where ``RPROXY_PURE=1`` or Cython is absent."""
    if os.environ.get("RPROXY_PURE") == "1":
        return []
    try:
        from Cython.Build import cythonize
    except ImportError:
        return []
    sources = {".".join(path.with_suffix("").parts): str(path) for path in hot_modules()}
    flags = os.environ.get("RPROXY_CFLAGS", "-O2").split()
    modules = [
        Extension(name, [source], extra_compile_args=flags)
        for name, source in sources.items()
        if name not in LINUX_ONLY or sys.platform == "linux"
    ]
    built: list[Extension] = cythonize(modules, compiler_directives=DIRECTIVES, build_dir="build/cython")
    return built


class BuildAllOrNothing(build_ext):
    """Hot modules are compiled together or not at all: the forms are tested, a mixture is not."""

    def run(self) -> None:
        """Build; where that fails, say so and install the pure form."""
        try:
            super().run()
        except Exception as error:  # a missing compiler shows itself in many ways
            self.extensions = []
            self.warn(f"rproxy is installed in its pure form, which is slower: {error}")


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildAllOrNothing})
