"""What is published: a source archive from which the compiled form can be built anywhere."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEEDED = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "CHANGELOG.md", "LICENSE")
SOURCES = ("*.py", "*.pyx", "*.pxd", "*.pyi", "py.typed")
BUILD = "from setuptools.build_meta import build_sdist; build_sdist('dist')"


def test_the_source_archive_has_every_source(tmp_path):
    for name in NEEDED:
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "rproxy", tmp_path / "rproxy", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    environment = {name: value for name, value in os.environ.items() if name != "RPROXY_PURE"}
    subprocess.run([sys.executable, "-c", BUILD], cwd=tmp_path, env=environment, check=True, capture_output=True)
    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        packed = {name.partition("/")[2] for name in opened.getnames()}
    sources = {str(path.relative_to(ROOT)) for pattern in SOURCES for path in ROOT.glob(f"rproxy/**/{pattern}")}
    assert not (sources | set(NEEDED)) - packed
