"""Files that change, in whatever way, have another mark."""

import os
from pathlib import Path

import pytest

from rproxy.config.file_mark import mark_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_text("one")
    os.utime(made, (1, 1))
    return made


def test_what_does_not_change_keeps_its_mark(file: Path) -> None:
    assert mark_of([file]) == mark_of(iter([file])) != ()


def test_every_kind_of_change_is_seen(file: Path, tmp_path: Path) -> None:
    marks = [mark_of([file])]
    file.write_text("three")
    marks.append(mark_of([file]))
    os.utime(file, (2, 2))
    marks.append(mark_of([file]))
    other = tmp_path / "other"
    other.write_text("three")
    os.utime(other, (2, 2))
    other.replace(file)
    marks.append(mark_of([file]))
    file.unlink()
    marks.append(mark_of([file]))
    assert marks[-1] == ((),)
    assert len(set(marks)) == len(marks)


def test_a_name_that_leads_elsewhere_is_another_file(file: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "password").write_text("same")
        os.utime(tmp_path / name / "password", (1, 1))
    link = tmp_path / "current"
    link.symlink_to("first")
    before = mark_of([link / "password"])
    link.unlink()
    link.symlink_to("second")
    assert mark_of([link / "password"]) != before
