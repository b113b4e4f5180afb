"""Builds the compiled form of the hot modules. Without a compiler the install goes on with the pure form."""

import os
from pathlib import Path

from setuptools import Extension, setup

HERE = Path(__file__).parent
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
    modules = [
        Extension(".".join(p.with_suffix("").parts), [str(p)], optional=True, extra_compile_args=["-O3", "-fno-plt"])
        for p in hot_modules()
    ]
    built: list[Extension] = cythonize(modules, compiler_directives=DIRECTIVES, build_dir="build/cython")
    return built


setup(ext_modules=extensions())
